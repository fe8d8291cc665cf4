"""Where an Azure cloud lives: its sign-in authority, its resource manager, and the scope of a token."""

from dataclasses import dataclass
from urllib.parse import urlsplit

PUBLIC_AUTHORITY = "https://login.microsoftonline.com"
PUBLIC_ARM = "https://management.azure.com"

_PARTITIONS = {
    "management.azure.com": "AzureCloud",
    "management.usgovcloudapi.net": "AzureUSGovernment",
    "management.chinacloudapi.cn": "AzureChinaCloud",
}


@dataclass(frozen=True)
class Cloud:
    """One Azure cloud.

    Attributes:
        authority_host: https URL of Entra's sign-in host, no slash at the end.
        arm_endpoint: https URL of Azure Resource Manager, no slash at the end.
    """

    authority_host: str = PUBLIC_AUTHORITY
    arm_endpoint: str = PUBLIC_ARM

    @property
    def scope(self) -> str:
        """The scope to ask a token for: everything the application was granted on this ARM."""
        return f"{self.arm_endpoint}/.default"

    @property
    def partition(self) -> str:
        """OCSF's `cloud_partition`: the cloud's name as the Azure command line prints it.

        An endpoint that is none of Microsoft's is named by its host, so that rows from a local Azure
        cannot be mistaken for real ones.
        """
        host = urlsplit(self.arm_endpoint).hostname or ""
        return _PARTITIONS.get(host, host)

    @property
    def described(self) -> str:
        """The partition as people are shown it: data of a local Azure is marked as simulated."""
        return self.partition + (" (a local Azure: simulated data)" if self.partition == "localhost" else "")
