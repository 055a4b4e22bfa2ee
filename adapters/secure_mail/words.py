"""The few words of the mail, in the four languages."""

from __future__ import annotations

from types import MappingProxyType

from broker.spi import Language

WORDS: MappingProxyType[Language, MappingProxyType[str, str]] = MappingProxyType(
    {
        "en": MappingProxyType(
            {
                "title": "Referral",
                "urgency": "Urgency",
                "unconfirmed": "NOT YET CONFIRMED by a second person",
                "locators": "Addresses (broken on purpose; exact values in the attached CSV)",
                "seen": "seen",
                "conditions": "Conditions",
                "desk": "Desk of the hotline",
                "none": "No address goes with this referral.",
                "reply": "Please tell us that you have it, with this link (valid for 7 days)",
                "call": "or by telephone, with the reference.",
                "retract": "Please delete the referral with the reference below and confirm by telephone.",
            }
        ),
        "nl": MappingProxyType(
            {
                "title": "Doorverwijzing",
                "urgency": "Dringendheid",
                "unconfirmed": "NOG NIET BEVESTIGD door een tweede persoon",
                "locators": "Adressen (met opzet onderbroken; exacte waarden in de CSV in bijlage)",
                "seen": "gezien",
                "conditions": "Voorwaarden",
                "desk": "Desk van het meldpunt",
                "none": "Bij deze doorverwijzing hoort geen adres.",
                "reply": "Laat ons weten dat u dit hebt ontvangen, via deze link (7 dagen geldig)",
                "call": "of telefonisch, met de referentie.",
                "retract": "Gelieve de doorverwijzing met deze referentie te wissen en "
                "dit telefonisch te bevestigen.",
            }
        ),
        "fr": MappingProxyType(
            {
                "title": "Signalement",
                "urgency": "Urgence",
                "unconfirmed": "PAS ENCORE CONFIRMÉ par une deuxième personne",
                "locators": "Adresses (coupées à dessein ; valeurs exactes dans le CSV joint)",
                "seen": "vu",
                "conditions": "Conditions",
                "desk": "Permanence du point de contact",
                "none": "Aucune adresse n'accompagne ce signalement.",
                "reply": "Merci de confirmer la réception par ce lien (valable 7 jours)",
                "call": "ou par téléphone, avec la référence.",
                "retract": "Merci d'effacer le signalement de cette référence et de le "
                "confirmer par téléphone.",
            }
        ),
        "de": MappingProxyType(
            {
                "title": "Meldung",
                "urgency": "Dringlichkeit",
                "unconfirmed": "NOCH NICHT von einer zweiten Person BESTÄTIGT",
                "locators": "Adressen (absichtlich unterbrochen; genaue Werte in der beigefügten CSV)",
                "seen": "gesehen",
                "conditions": "Bedingungen",
                "desk": "Dienst der Meldestelle",
                "none": "Zu dieser Meldung gehört keine Adresse.",
                "reply": "Bitte bestätigen Sie den Erhalt über diesen Link (7 Tage gültig)",
                "call": "oder telefonisch, mit der Referenz.",
                "retract": "Bitte löschen Sie die Meldung mit dieser Referenz und "
                "bestätigen Sie das telefonisch.",
            }
        ),
    }
)
