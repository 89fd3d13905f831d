"""Every setting of the pipeline, typed and read in one place. Secrets are not settings: they come by Connection."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from include.kernel.areas import areas
from include.kernel.errors import BadInput, shown
from include.kernel.periods import SHANGHAI


class Settings(BaseSettings):
    """Environment variables `INNOPOINTS_*`; the README lists them."""

    model_config = SettingsConfigDict(env_prefix="INNOPOINTS_", env_ignore_empty=True)

    home: Path = Path("var")
    warehouse_url: str = ""
    lake: str = ""
    sandbox_seed: int = Field(default=20210430, ge=0)
    sandbox_enterprises: int = Field(default=2791, ge=1)
    sandbox_port: int = 8090
    airflow_port: int = 8080
    least_free_mib: int = Field(default=512, ge=0)
    as_of: date | None = None
    readers: dict[str, list[str]] = {}
    """Who may see which districts in the pages; without it, whoever may open them sees the city."""
    approvers: list[str] = []
    """Airflow's names of those who may approve a year's honours; without it, whoever may answer Airflow's forms."""

    lineage_url: str = ""
    """Where OpenLineage events go; without it, nowhere."""

    @field_validator("readers")
    @classmethod
    def _are_districts(cls, given: dict[str, list[str]]) -> dict[str, list[str]]:
        if unknown := sorted({code for codes in given.values() for code in codes} - {"*", *areas()}):
            raise ValueError(f"unknown district {shown(unknown[0])}; write {', '.join(areas())}, or * for the city")
        return given

    @field_validator("lineage_url")
    @classmethod
    def _is_an_address(cls, given: str) -> str:
        parts = urlsplit(given)
        if given and (parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query):
            raise ValueError("write http(s)://HOST[:PORT], without user or password")
        return given.rstrip("/")

    @property
    def warehouse(self) -> str:
        """SQLAlchemy URL of the published tables."""
        return self.warehouse_url or f"sqlite:///{(self.home / 'warehouse.sqlite').absolute()}"

    @property
    def lake_root(self) -> str:
        """Path or fsspec URL of the snapshots."""
        return self.lake or str((self.home / "lake").absolute())

    def business_date(self) -> date:
        """The date that a refresh without one means: the setting, else today in Shanghai."""
        return self.as_of or datetime.now(SHANGHAI).date()


def settings() -> Settings:
    """The settings of this process, read anew at each call so that tests and tasks see their own environment."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(
            f"setting INNOPOINTS_{str(first['loc'][0]).upper()} is not usable: {first['msg']}",
            todo="correct the environment variable",
        ) from None
    except SettingsError as error:
        name = "READERS" if '"readers"' in str(error) else "APPROVERS"
        written = {"READERS": '{"name of a reader": ["area code", …], "another": ["*"]}', "APPROVERS": '["name", …]'}
        raise BadInput(f"setting INNOPOINTS_{name} is not JSON", todo=f"write {written[name]}") from None
