"""Where an Azure cloud is: its sign-in authority, its resource manager, and the scope of a token."""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Cloud:
    """One Azure cloud.

    Attributes:
        authority_host: https URL of Entra's sign-in host, no slash at the end.
        arm_endpoint: https URL of Azure Resource Manager, no slash at the end.
    """

    authority_host: str = "https://login.microsoftonline.com"
    arm_endpoint: str = "https://management.azure.com"

    @property
    def scope(self) -> str:
        """The scope of a token: everything the application was granted on this ARM."""
        return f"{self.arm_endpoint}/.default"

    @property
    def partition(self) -> str:
        """OCSF's `cloud_partition`: the cloud's name as the Azure command line prints it.

        An endpoint that is none of Microsoft's is named by its host, so that rows from a local Azure
        cannot be mistaken for real ones.
        """
        host = urlsplit(self.arm_endpoint).hostname or ""
        return next((name for name, cloud in CLOUDS.items() if urlsplit(cloud.arm_endpoint).hostname == host), host)

    @property
    def description(self) -> str:
        """The partition as people are shown it: data of a local Azure is marked as simulated."""
        return self.partition + (" (a local Azure: simulated data)" if self.partition == "localhost" else "")


CLOUDS = {
    "AzureCloud": Cloud(),
    "AzureUSGovernment": Cloud("https://login.microsoftonline.us", "https://management.usgovcloudapi.net"),
    "AzureChinaCloud": Cloud("https://login.partner.microsoftonline.cn", "https://management.chinacloudapi.cn"),
}
"""Microsoft's clouds, by the names that the Azure command line gives them."""

RETIRED = {"AzureChinaCloud": "Defender for Cloud was retired in Azure China on 2026-08-18: it gives no scores there."}
"""What is to be said before scores are read from a cloud."""
