"""Configuration: environment variables `BROKER_…` or secret files, nothing else.

docs/operators/configuration.md is generated from here; a test holds it to that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from broker.errors import Misconfigured


class Settings(BaseSettings):
    """Everything an operator can set. Secrets come as paths of files, never as values."""

    model_config = SettingsConfigDict(env_prefix="BROKER_", extra="forbid", frozen=True)

    environment: Literal["synthetic", "production"] = Field(
        default="synthetic",
        description=(
            "`synthetic` allows the embedded database and marks every answer; `production` refuses both."
        ),
    )
    state: Path = Field(
        default=Path(".state"), description="Folder for the embedded database and the staff session file."
    )
    database_url: str | None = Field(
        default=None,
        description=(
            "PostgreSQL URL, e.g. `postgresql://broker_app@db.example/broker`; the role's name is replaced "
            "for each process. Absent: the embedded server, synthetic data only."
        ),
    )
    database_password_file: Path | None = Field(
        default=None, description="File with one `role:password` line for each database role."
    )
    keys: Path = Field(
        default=Path(".state/keys"), description="Folder with the broker's keys (see keys/README.md)."
    )
    passphrase_file: Path | None = Field(
        default=None,
        description=(
            "File with the pass-phrase of the keys. Absent: `passphrase` in the key folder (synthetic only)."
        ),
    )
    channels: Path = Field(
        default=Path(".state/channels"),
        description="Folder with a JSON file (mode 0600) for each way out: mail relay, client certificates.",
    )
    hosting: Path | None = Field(
        default=None,
        description=(
            "Folder with host data (`networks.csv`, `cdns.csv`, `ipv4.json`, `ipv6.json`). Where it is set, "
            "hosts are looked up again just before every notice to a provider."
        ),
    )
    issuer: str = Field(
        default="http://127.0.0.1:8350",
        description=(
            "Public base URL: issuer of tokens and referrals, and what DPoP proofs are checked against."
        ),
    )
    origin: str = Field(default="broker.example/ledger", description="Name of the ledger in its checkpoints.")
    pack: str = Field(default="be", description="Country pack: a name under `broker/packs` or a folder.")
    reference_prefix: str = Field(
        default="CF", pattern=r"^[A-Z]{2,4}$", description="First letters of a sayable reference."
    )
    regret_seconds: int = Field(
        default=180, ge=0, le=3600, description="How long a release that is not U1 can still be cancelled."
    )
    integrate_every_ms: int = Field(
        default=50, ge=5, le=5000, description="Cadence of the ledger's integrator."
    )
    page_limit: int = Field(default=100, ge=1, le=1000, description="Rows of a feed page at most.")
    pulls_per_minute: int = Field(
        default=600, ge=1, description="Requests of one partner in a minute before the answer is 429."
    )
    bulk_per_hour: int = Field(
        default=500,
        ge=1,
        description="Referrals one partner may collect in an hour before the answer is 429.",
    )
    session_idle_minutes: int = Field(
        default=30, ge=1, le=720, description="A sign-in ends after so many minutes without a request."
    )
    session_hours: int = Field(
        default=10, ge=1, le=24, description="A sign-in ends so many hours after it began."
    )
    oidc_issuer: str | None = Field(
        default=None,
        description="Issuer of the OpenID provider by which staff sign in. Absent: passkeys and passwords.",
    )
    oidc_client_id: str | None = Field(default=None, description="What the provider calls this broker.")
    oidc_client_secret_file: Path | None = Field(
        default=None, description="File with the client's secret (mode 0600). Absent: a public client."
    )
    oidc_acr_values: str = Field(
        default="",
        description=(
            "Values of `acr`, with spaces between, that mean two factors at the provider; `amr` with `mfa` "
            "always does."
        ),
    )
    oidc_enforces_mfa: bool = Field(
        default=False, description="The provider asks everybody for two factors, without saying so in tokens."
    )
    review_size: int = Field(
        default=20, ge=1, le=1000, description="Releases in a draw of the sampled review."
    )
    log_file: Path | None = Field(default=None, description="Where the log goes; absent: standard error.")

    @field_validator("issuer")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @property
    def pages_url(self) -> str:
        """Where people's browsers reach the pages. Browsers give no passkeys to an address of numbers, so
        an issuer on 127.0.0.1 is reached by its name."""
        return self.issuer.replace("://127.0.0.1", "://localhost", 1)

    @property
    def synthetic(self) -> bool:
        """True outside production."""
        return self.environment == "synthetic"

    def passphrase(self) -> bytes:
        """The key folder's pass-phrase. Raises `Misconfigured` when the file is missing or open to others."""
        path = self.passphrase_file
        if path is None:
            if not self.synthetic:
                raise Misconfigured(
                    "no-passphrase", "BROKER_PASSPHRASE_FILE is not set", "point it to a file of mode 0600"
                )
            path = self.keys / "passphrase"
        try:
            mode = path.stat().st_mode
            if mode & 0o077:
                raise Misconfigured(
                    "open-passphrase", "the pass-phrase file can be read by others", "chmod 0600"
                )
            return path.read_bytes().strip()
        except FileNotFoundError:
            raise Misconfigured(
                "no-passphrase", "the pass-phrase file does not exist", "run `broker keys init`"
            ) from None
