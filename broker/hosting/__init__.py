"""Where content is hosted, and in which country: looked up, kept as evidence, checked again.

Nothing here reads content. A name is resolved, an address is found in the operator's table and, where
configured, asked about by RDAP. docs/operators/hosting.md gives the files and their formats.
"""

from broker.hosting.facts import Change, HostFacts, LookUp, LookUpFailed, Recheck
from broker.hosting.folder import HostFolder
from broker.hosting.guard import GuardedTransport, is_public, system_resolver
from broker.hosting.lookup import HostLookup
from broker.hosting.rdap import Bootstrap, Rdap
from broker.hosting.tables import CdnList, NetworkTable

__all__ = [
    "Bootstrap",
    "CdnList",
    "Change",
    "GuardedTransport",
    "HostFacts",
    "HostFolder",
    "HostLookup",
    "LookUp",
    "LookUpFailed",
    "NetworkTable",
    "Rdap",
    "Recheck",
    "is_public",
    "system_resolver",
]
