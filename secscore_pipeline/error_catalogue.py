"""The catalogue of failures: each by its name, with its meaning and its resolution. Errors and docs are made of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """One thing that goes wrong.

    Attributes:
        name: its entry in docs/troubleshooting.md, which every message of it ends with.
        title: what happened, in a few words.
        why: what lies behind it, for the reader of the docs.
        resolution: what to do; each `{…}` is a place that the error fills in, and the docs name.
    """

    name: str
    title: str
    why: str
    resolution: str


PARTS: dict[str, tuple[Failure, ...]] = {
    "Settings": (
        Failure(
            "setting-missing",
            "A required setting is not set",
            "Settings come from the environment and from `.env` in the working directory; the environment wins.",
            "Set it in the environment or in .env (`secscore init` asks for what is missing).",
        ),
        Failure(
            "setting-unknown",
            "A name looks like a setting and is none",
            "It is misspelled, or from another version. A name that is not known is read by nothing, and the default "
            "holds in its place.",
            "Correct it or remove it; .env.example lists every setting.",
        ),
        Failure(
            "placeholder-left",
            "A placeholder was left in a setting",
            "A value such as `<tenant_id>` was copied from an example and never filled in.",
            "Put the real value in its place, without the angle brackets.",
        ),
        Failure(
            "quotes-or-spaces",
            "A setting begins or ends with a quote, a blank or an invisible character",
            "It was pasted with something around it, or comes from a file with a byte order mark. Entra takes every "
            "character of a secret as part of it.",
            "Remove what is around the value; save a file that it comes from as UTF-8 without a byte order mark.",
        ),
        Failure(
            "env-unreadable",
            "The file of settings cannot be read",
            "It is a folder, belongs to somebody else, or is in an encoding that is not certain: UTF-8 is read, and so "
            "is UTF-16 with a byte order mark, as Notepad and PowerShell write it.",
            "Check the file's permissions, and save it as UTF-8.",
        ),
        Failure(
            "encoding-unknown",
            "The encoding of a file is not certain",
            "A text is read as UTF-8, or as UTF-16 where it says so. What an editor saved as ANSI (Windows-1252) would "
            "become other characters, and a secret another secret.",
            "Save it as UTF-8 without a byte order mark, and start again.",
        ),
        Failure(
            "env-exposed",
            "Other accounts can read the file of settings",
            "It holds a secret, and its permissions let every account of the machine read or change it.",
            "Keep it to yourself: chmod 600 {path}",
        ),
        Failure(
            "value-unwritable",
            "A value cannot stand in a file of settings",
            "A line of such a file is one setting: a line break or control character cannot be part of a value.",
            "Check what was pasted; a secret is one line.",
        ),
        Failure(
            "answers-ended",
            "The input ended before every question was answered",
            "`secscore init` asks until each answer is well-formed; from a pipe or file it gets what stands there.",
            "Answer at a terminal, or give everything as options: secscore init --no-ask --tenant-id <id> "
            "--client-id <id> --client-secret-file <file>.",
        ),
        Failure(
            "setting-too-long",
            "A setting is too long to be given to another program",
            "Linux passes at most 128 kB in one variable, and Dagster's processes get the settings that way.",
            "Use AZURE_SUBSCRIPTION_IDS=* with SECSCORE_INCLUDE or a management group, or list them in feeds.yaml.",
        ),
        Failure(
            "working-directory-gone",
            "The working directory is not there any more",
            "It was deleted or renamed while a shell stood in it; `.env` and relative paths are looked for there.",
            "Change to a folder that is there: cd.",
        ),
        Failure(
            "instance-unusable",
            "Dagster's own records cannot be used",
            "A file in DAGSTER_HOME is damaged, locked, of another version of Dagster, or no instance file.",
            "Check dagster.yaml there; where a database of Dagster's is damaged, move DAGSTER_HOME away: it holds the "
            "records of runs, and none of the data.",
        ),
        Failure(
            "system-refused",
            "The operating system refused something",
            "A disk is full, something may not be read or written, or standard output takes nothing.",
            "Remove the cause, and start it again.",
        ),
        Failure(
            "locale-too-small",
            "A name holds characters that the locale does not have",
            "The locale's encoding (LC_ALL, LANG) is ASCII, or not that of the name, so that other programs and DuckDB "
            "would take it for another name.",
            "Set LC_ALL=C.UTF-8 (or PYTHONUTF8=1), and start again.",
        ),
        Failure(
            "unforeseen",
            "Something happened that this program does not foresee",
            "This is a bug in this program. What was read before is stored and published.",
            "Run it again with --verbose (secscore --verbose …), and report what it prints.",
        ),
        Failure(
            "home-unknown",
            "A path begins with a home directory that is not known",
            "`~name` is the home directory of the user of that name, `~` that of the process, which may have none.",
            "Write the whole path in {setting}.",
        ),
        Failure(
            "export-layout-malformed",
            "The source or region of the Security Lake layout is no name",
            "They are parts of paths: letters, digits and . _ - , beginning with a letter or digit.",
            "Set SECSCORE_EXPORT_SOURCE and SECSCORE_EXPORT_REGION to names such as AzureSecureScore and eu-central-1.",
        ),
        Failure(
            "tenant-malformed",
            "The tenant is neither a GUID nor a domain",
            "A tenant is named by its GUID or by one of its domains, such as `contoso.onmicrosoft.com`.",
            "Copy the tenant ID from Entra's overview page.",
        ),
        Failure(
            "tenant-is-client",
            "The tenant and the client are the same id",
            "The Directory (tenant) ID and the Application (client) ID stand beside each other in the portal.",
            "Copy the two ids again: the tenant's from Entra's overview page, the client's from the app registration.",
        ),
        Failure(
            "client-malformed",
            "The client id is no GUID",
            "An application is named by its Application (client) ID.",
            "Copy the Application (client) ID from the app registration.",
        ),
        Failure(
            "secret-is-id",
            "The client secret is a GUID",
            "Under Certificates & secrets the portal shows a *Value* and a *Secret ID*. The ID is a GUID, a value is "
            "not.",
            "Set AZURE_CLIENT_SECRET to the secret's Value; it is shown once, so make a new secret if it is gone.",
        ),
        Failure(
            "credential-missing",
            "No credential is set",
            "An application signs in with a client secret, a certificate, a federated token or a managed identity.",
            "Set AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH or AZURE_FEDERATED_TOKEN_FILE, or "
            "AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential.",
        ),
        Failure(
            "credential-unknown",
            "AZURE_TOKEN_CREDENTIALS names no credential",
            "It takes the names of the Azure SDKs; when it is empty, the first credential that is set is used.",
            "Use EnvironmentCredential, WorkloadIdentityCredential or ManagedIdentityCredential, or leave it empty.",
        ),
        Failure(
            "certificate-unreadable",
            "The certificate file cannot be used",
            "It must hold the certificate and its private key, as PEM (key and certificate in one file) or PFX.",
            "Check AZURE_CLIENT_CERTIFICATE_PATH, that this user may read the file, and what it holds.",
        ),
        Failure(
            "certificate-password",
            "The password does not open the certificate's private key",
            "A PFX file, and an encrypted key in a PEM file, need the password they were made with.",
            "Check AZURE_CLIENT_CERTIFICATE_PASSWORD.",
        ),
        Failure(
            "certificate-expired",
            "The certificate has expired",
            "Entra accepts no assertion that an expired certificate signs.",
            "Make a new certificate, upload it under Certificates & secrets, and name it in "
            "AZURE_CLIENT_CERTIFICATE_PATH.",
        ),
        Failure(
            "federated-token-unreadable",
            "The federated token cannot be read",
            "The platform (Kubernetes, a CI system) writes the token into a file and replaces it before it expires.",
            "Check AZURE_FEDERATED_TOKEN_FILE and that the workload identity webhook mounts it here.",
        ),
        Failure(
            "subscriptions-malformed",
            "The list of subscriptions cannot be read",
            "Subscriptions are named by their GUIDs, separated by commas; `*` means every enabled one that the "
            "identity sees.",
            "Separate GUIDs by commas, or use `*` alone.",
        ),
        Failure(
            "event-types-malformed",
            "The event types cannot be read",
            "There are three: the scores, the controls they are made of, and the recommendations that these count.",
            "Use one or more of secure_scores, secure_score_controls and assessments, separated by commas.",
        ),
        Failure(
            "cloud-unknown",
            "AZURE_CLOUD names no cloud",
            "The clouds are called as the Azure command line calls them; any other is described by its two endpoints.",
            "Use AzureCloud, AzureUSGovernment or AzureChinaCloud, or set AZURE_AUTHORITY_HOST and "
            "SECSCORE_ARM_ENDPOINT.",
        ),
        Failure(
            "url-malformed",
            "An endpoint is no https URL",
            "A token is never sent in clear, and nothing but a host and a path belongs into an endpoint.",
            "Give one like {example}.",
        ),
        Failure(
            "ca-bundle-missing",
            "The file with certificates to trust is not there",
            "It is a PEM file with the certificates of the authority that signs for a proxy or a private Azure.",
            "Give the path of a PEM file in {setting}, or unset it.",
        ),
        Failure(
            "number-malformed",
            "A setting that is a number is none",
            "The message names the numbers that it takes. They are whole, unless the message gives one with a decimal "
            "point, such as 0.5.",
            "Give {range}.",
        ),
        Failure(
            "policy-malformed",
            "A setting of a few choices is none of them",
            "It takes the words that the message names, such as warn or fail for SECSCORE_PARTIAL_FAILURE.",
            "Set {setting} to {choices}.",
        ),
        Failure(
            "schedule-malformed",
            "The schedule cannot be read",
            "It is no cron expression of five fields, or its time zone is unknown.",
            "Set {setting} to {example}.",
        ),
        Failure(
            "feeds-malformed",
            "The file of feeds is not as it must be",
            "The line that the message names holds something that is not known there, or lacks something; or two feeds "
            "have one name or would read the same subscriptions.",
            "Mend that line; docs/connect.md shows a whole file.",
        ),
        Failure(
            "secret-unset",
            "The environment variable that holds a feed's secret is not set",
            "feeds.yaml names variables instead of holding secrets. The other feeds are not touched.",
            "Set it in the environment or in .env, and start again what runs the pipeline.",
        ),
        Failure(
            "date-malformed",
            "A setting that is a date is none",
            "Dates are written as year, month and day.",
            "Write it like 2027-01-31.",
        ),
        Failure(
            "ui-host-malformed",
            "SECSCORE_UI_HOSTS holds no host",
            "It names the hosts under which Dagster's UI is reached through a proxy, as a browser's address bar shows "
            "them: without a scheme and a path, with the port where there is one.",
            "Write it like secscore.example.com or secscore.example.com:8443, separated by commas.",
        ),
        Failure(
            "port-taken",
            "Another process listens on the UI's port",
            "Most often the UI runs already: `secscore dev` was started twice. Nothing was started this time.",
            "Open the one that runs, or end it, or choose another port: secscore dev --port 3001, or SECSCORE_UI_PORT.",
        ),
        Failure(
            "folder-unusable",
            "A folder or file in the settings cannot be used",
            "It is a folder where a file is wanted or the other way round, is no absolute path, or cannot be made.",
            "Give another in {setting}.",
        ),
    ),
    "Network": (
        Failure(
            "name-unresolved",
            "The name of a host cannot be resolved",
            "DNS does not know it: a typing error in an endpoint, no network, or a resolver that only knows names "
            "inside.",
            "Check {setting} and this machine's DNS.",
        ),
        Failure(
            "unreachable",
            "A host cannot be reached",
            "Nothing answers there, or something on the way refuses or drops the connection.",
            "Check {setting}, the firewall, and HTTPS_PROXY where only a proxy leads out.",
        ),
        Failure(
            "proxy-failing",
            "The proxy does not let the connection through",
            "HTTPS_PROXY names a proxy that cannot be reached, wants a password, or refuses this host.",
            "Check HTTPS_PROXY and ask whoever runs the proxy to allow {host}; NO_PROXY goes past it.",
        ),
        Failure(
            "proxy-malformed",
            "The setting of a proxy cannot be used",
            "It is no URL, or that of a SOCKS proxy. Requests go through an HTTP proxy, by CONNECT, or without one.",
            "Give {setting} the URL of an HTTP proxy, such as http://proxy.example:8080, or unset it.",
        ),
        Failure(
            "tls-untrusted",
            "The certificate of a host is not trusted",
            "A corporate proxy that opens TLS, or a private Azure, signs with an authority this machine does not know.",
            "Put the authority's certificate into a PEM file and name that in SECSCORE_CA_BUNDLE.",
        ),
        Failure(
            "tls-broken",
            "TLS with a host cannot be agreed on",
            "The connection is cut while TLS is set up: often a middlebox, or a port that speaks no TLS.",
            "Check {setting} and what stands between this machine and that host.",
        ),
    ),
    "Sign-in": (
        Failure(
            "secret-wrong",
            "Entra does not accept the client secret (AADSTS7000215)",
            "It is another application's, mistyped, cut short when it was copied, or the secret's ID instead of its "
            "value.",
            "Set AZURE_CLIENT_SECRET to the secret's value, not to its ID.",
        ),
        Failure(
            "secret-expired",
            "The client secret has expired (AADSTS7000222)",
            "Secrets live for at most two years. SECSCORE_SECRET_EXPIRES makes a check warn 30 days before.",
            "Make a new secret (az ad app credential reset --id {client_id} --append) and set AZURE_CLIENT_SECRET "
            "to it.",
        ),
        Failure(
            "application-unknown",
            "The tenant does not know the application (AADSTS700016)",
            "The client id belongs to another tenant, or was mistyped.",
            "Check AZURE_CLIENT_ID and AZURE_TENANT_ID: this tenant does not know the application.",
        ),
        Failure(
            "tenant-and-client-swapped",
            "The tenant and the client id are swapped",
            "No tenant has the id in AZURE_TENANT_ID, and one has the id in AZURE_CLIENT_ID.",
            "Swap AZURE_TENANT_ID and AZURE_CLIENT_ID.",
        ),
        Failure(
            "tenant-unknown",
            "Entra does not know the tenant (AADSTS90002)",
            "The id was mistyped, or the tenant lives in another cloud.",
            "Check AZURE_TENANT_ID, and AZURE_CLOUD if the tenant is not in the public cloud.",
        ),
        Failure(
            "wrong-cloud",
            "The tenant is in another cloud",
            "Each Azure cloud has its own sign-in host. This one does not know the tenant, another one does.",
            "Set AZURE_CLOUD={cloud}.",
        ),
        Failure(
            "tenant-name-invalid",
            "Entra takes the tenant for no tenant's name (AADSTS900023)",
            "It is neither a GUID nor a valid domain.",
            "Check AZURE_TENANT_ID.",
        ),
        Failure(
            "application-disabled",
            "The application is disabled (AADSTS7000112)",
            "Somebody switched sign-in off for its service principal.",
            "Enable the application under Enterprise applications in Entra.",
        ),
        Failure(
            "credential-not-sent",
            "Entra received no credential (AADSTS7000216)",
            "A proxy on the way rewrote the request.",
            "Check the proxies on the way to the sign-in host.",
        ),
        Failure(
            "service-principal-missing",
            "The application has no service principal (AADSTS7000229)",
            "An app registration alone cannot sign in: its tenant needs a service principal of it.",
            "Create the service principal: az ad sp create --id {client_id}.",
        ),
        Failure(
            "certificate-not-registered",
            "Entra does not know the certificate (AADSTS700027)",
            "The certificate that signed the assertion is not among those of the app registration.",
            "Upload the certificate under Certificates & secrets of the app registration.",
        ),
        Failure(
            "assertion-rejected",
            "Entra does not accept the assertion (AADSTS700024, AADSTS50027)",
            "It is outside its time (this machine's clock is wrong, or the federated token was not renewed), or it is "
            "malformed.",
            "Check this machine's clock, and that the platform renews AZURE_FEDERATED_TOKEN_FILE.",
        ),
        Failure(
            "federation-mismatch",
            "No federated credential fits the token (AADSTS70021, AADSTS700213)",
            "Issuer, subject and audience of the token must be those of a federated credential, to the letter.",
            "Compare the token's issuer and subject with Certificates & secrets, Federated credentials.",
        ),
        Failure(
            "scope-invalid",
            "Entra does not accept the token's scope (AADSTS1002012, AADSTS70011)",
            "The scope is made of the ARM endpoint.",
            "Check SECSCORE_ARM_ENDPOINT.",
        ),
        Failure(
            "resource-unknown",
            "The tenant does not know this Azure Resource Manager (AADSTS500011)",
            "The sign-in host and the ARM endpoint belong to two clouds.",
            "Check SECSCORE_ARM_ENDPOINT and AZURE_CLOUD.",
        ),
        Failure(
            "conditional-access",
            "Conditional Access blocks the application (AADSTS53003)",
            "A policy for workload identities does not allow it from here.",
            "Ask the tenant's administrator about Conditional Access for workload identities.",
        ),
        Failure(
            "sign-in-elsewhere",
            "The sign-in host points to another host",
            "It answered with a redirect, or its configuration names a token endpoint on another host. A secret is "
            "sent to the host in AZURE_AUTHORITY_HOST or AZURE_CLOUD alone.",
            "Check AZURE_AUTHORITY_HOST and AZURE_CLOUD, and the proxies on the way.",
        ),
        Failure(
            "sign-in-refused",
            "Entra refused the sign-in for a reason of its own",
            "The AADSTS code in the message says which; Microsoft's list of codes explains it.",
            "See the code in Microsoft's list of AADSTS codes.",
        ),
        Failure(
            "sign-in-failing",
            "The sign-in host gives no usable answer",
            "It is down, or something on the way answers in its place. It was asked several times.",
            "Try again later; check AZURE_AUTHORITY_HOST and the proxies on the way.",
        ),
        Failure(
            "managed-identity-absent",
            "This machine has no managed identity",
            "The metadata service of Azure's machines did not answer: this is none, or no identity is assigned to it.",
            "Assign an identity to this machine, or use another credential (AZURE_TOKEN_CREDENTIALS).",
        ),
        Failure(
            "managed-identity-refused",
            "The metadata service refused a token",
            "The identity that AZURE_CLIENT_ID names is not assigned to this machine.",
            "Check AZURE_CLIENT_ID: leave it empty for the machine's own identity.",
        ),
    ),
    "Reading": (
        Failure(
            "no-subscriptions",
            "The identity sees no subscription",
            "Azure lists the subscriptions on which an identity has any role; without one the list is empty.",
            "Give the application the role Security Reader on a subscription or management group.",
        ),
        Failure(
            "nothing-in-scope",
            "No subscription is left of those that the identity sees",
            "SECSCORE_INCLUDE and SECSCORE_EXCLUDE left none, or none of them is enabled.",
            "Check SECSCORE_INCLUDE, SECSCORE_EXCLUDE and AZURE_MANAGEMENT_GROUP_ID.",
        ),
        Failure(
            "pattern-unmatched",
            "A pattern fits no subscription",
            "It was mistyped, or what it meant was renamed or deleted. In patterns `*` stands for any characters and "
            "`?` for any one; every other character, brackets too, stands for itself.",
            "Check it against the names of your subscriptions; a comma in a name is written as `?`.",
        ),
        Failure(
            "patterns-unused",
            "The patterns of names are not used",
            "They narrow AZURE_SUBSCRIPTION_IDS=*, and AZURE_SUBSCRIPTION_IDS lists the subscriptions one by one.",
            "Set AZURE_SUBSCRIPTION_IDS=*, or remove SECSCORE_INCLUDE and SECSCORE_EXCLUDE.",
        ),
        Failure(
            "feeds-overlap",
            "Two feeds read the same subscription",
            "Each feed would close findings that only the other one sees. Nothing was read.",
            "Leave it out of one of the two feeds (exclude), and run that one first.",
        ),
        Failure(
            "management-group-unknown",
            "The management group cannot be read",
            "It does not exist, or the identity has no role that may read it: it takes the action "
            "Microsoft.Management/managementGroups/descendants/read, which Reader has and Security Reader has not.",
            "Check AZURE_MANAGEMENT_GROUP_ID: its ID, not its display name; and the role on it.",
        ),
        Failure(
            "root-group-unreadable",
            "The management groups of a tenant cannot be read",
            "The identity has no role that may read the tenant's root group. Azure Lighthouse delegates subscriptions "
            "and no management groups: those of a customer's tenant are never readable. It costs the paths of "
            "management groups of that tenant's subscriptions, and nothing else.",
            "For your own tenant, grant Microsoft.Management/managementGroups/descendants/read on its root group; for "
            "a tenant that is managed by Azure Lighthouse there is nothing to do.",
        ),
        Failure(
            "forbidden",
            "The identity may not read the subscription's score (403)",
            "Its role is missing, or was granted minutes ago: a grant may take ten minutes to hold.",
            "Grant it: az role assignment create --assignee-object-id {object_id} --assignee-principal-type "
            'ServicePrincipal --role "Security Reader" --scope {scope}; a grant made minutes ago may take some more.',
        ),
        Failure(
            "not-registered",
            "The subscription is not registered with Microsoft.Security",
            "Defender for Cloud was never used on it.",
            "Register the provider: az provider register --namespace Microsoft.Security --subscription "
            "{subscription_id}.",
        ),
        Failure(
            "no-score",
            "The subscription has no secure score yet",
            "Defender for Cloud's Foundational CSPM is off (since 2026-10-27 it is opt-in for new subscriptions), was "
            "switched on less than a day ago, or has nothing to assess. It is a state, not an error: nothing is "
            "counted as 0 %.",
            "Switch Foundational CSPM on: az security pricing create --name FoundationalCspm --tier Standard "
            "--subscription {subscription_id}; the first score takes up to a day.",
        ),
        Failure(
            "subscription-unsupported",
            "The subscription is of a kind that has no secure score",
            "Azure lists it as Enabled and lets Microsoft.Security serve nothing on it (DisallowedOperation, "
            "DisallowedProvider), as with *Access to Azure Active Directory* and some offers for students. It is a "
            "state, not an error: no alert is sent, it is no gap, and nothing is counted as 0 %.",
            "There is nothing to do; leave it out with SECSCORE_EXCLUDE if you do not want to see it.",
        ),
        Failure(
            "subscription-unknown",
            "Azure does not know the subscription",
            "The id was mistyped, or the subscription belongs to another tenant or cloud, or was deleted.",
            "Check AZURE_SUBSCRIPTION_IDS, and that the subscription belongs to AZURE_TENANT_ID.",
        ),
        Failure(
            "subscription-disabled",
            "The subscription is disabled",
            "Azure assesses nothing on a disabled subscription.",
            "Enable the subscription in the Azure portal, or take it out of the list.",
        ),
        Failure(
            "wrong-tenant",
            "The subscription belongs to another tenant (InvalidAuthenticationTokenTenant)",
            "The token is of the tenant in AZURE_TENANT_ID, and the subscription trusts another one.",
            "Set AZURE_TENANT_ID to the subscription's own tenant, or read it with a feed of that tenant.",
        ),
        Failure(
            "token-refused",
            "Azure Resource Manager does not accept the token (401)",
            "The sign-in host and the ARM endpoint belong to two clouds, or the token was revoked twice.",
            "Check that AZURE_TENANT_ID is the subscription's own tenant and that the authority and the ARM endpoint "
            "belong to one cloud.",
        ),
        Failure(
            "throttled",
            "Azure limits the reading (429)",
            "Reads are limited for each identity and subscription; every retry was used up.",
            "Wait, or lower SECSCORE_MAX_CONNECTIONS: Azure limits reads.",
        ),
        Failure(
            "not-found",
            "Azure does not know the resource (404)",
            "The ARM endpoint is not one that serves Microsoft.Security.",
            "Check AZURE_SUBSCRIPTION_IDS and SECSCORE_ARM_ENDPOINT.",
        ),
        Failure(
            "api-version-refused",
            "Azure does not know the api-version of the list",
            "This cloud serves the list in another version, or not at all. Older versions were tried where there are "
            "some.",
            "Check AZURE_CLOUD and SECSCORE_ARM_ENDPOINT. Where this cloud has no recommendations, leave assessments "
            "out of SECSCORE_EVENT_TYPES.",
        ),
        Failure(
            "azure-failing",
            "Azure failed, its retries included",
            "An error of Azure's own (5xx), or one that this program does not know.",
            "Run it again; if it stays, give Microsoft's support the request id.",
        ),
        Failure(
            "read-broken",
            "An answer could not be read to its end",
            "The connection broke, or the body was cut short or too slow, each time it was tried.",
            "Check SECSCORE_ARM_ENDPOINT, the network and the proxy settings.",
        ),
        Failure(
            "not-azure",
            "What answers is not Azure Resource Manager",
            "A redirect, a page of HTML, or JSON of another shape: a proxy or a captive portal answers in its place.",
            "Check SECSCORE_ARM_ENDPOINT and the proxies on the way.",
        ),
        Failure(
            "answer-unusable",
            "An answer could not be understood",
            "It is not what Azure documents, in a way that this program does not foresee. It costs this one reading; "
            "the log with --verbose has the detail.",
            "Check SECSCORE_ARM_ENDPOINT and the proxies on the way; if it stays, report it.",
        ),
        Failure(
            "answer-too-large",
            "An answer was larger than any of Azure's",
            "Pages and lists are bounded, so that no answer can fill the memory of this machine.",
            "Check SECSCORE_ARM_ENDPOINT and the proxies on the way.",
        ),
        Failure(
            "secret-echoed",
            "An answer held the token it was asked with",
            "A debugging proxy sends requests back. Stored as received, the answer would have carried the secret into "
            "the database.",
            "Check SECSCORE_ARM_ENDPOINT and the proxies on the way, and make a new secret: something there reads it.",
        ),
        Failure(
            "next-link",
            "A page points where the next one cannot be",
            "A token never leaves the host it was made for, and pages must end: after a bounded number of them, and of "
            "those without records.",
            "This is not how Azure behaves: check SECSCORE_ARM_ENDPOINT and the proxies on the way.",
        ),
        Failure(
            "stopped",
            "The run was stopped",
            "Ctrl-C, or another failure ended it. What was read is not stored in part.",
            "Start it again: nothing half-read was stored.",
        ),
    ),
    "Database": (
        Failure(
            "database-absent",
            "There is no database yet",
            "The first run makes it.",
            "Run `secscore sync` first.",
        ),
        Failure(
            "database-outdated",
            "The database was written by an older version",
            "A new version brings views and columns of its own; the next run gives them to the database.",
            "Run `secscore sync` once.",
        ),
        Failure(
            "query-wrong",
            "The database did not understand the question",
            "The SQL names something that is not there, or is no SQL.",
            'See what there is: \\d at the prompt, or secscore query "\\d"; docs/tables.md has every column.',
        ),
        Failure(
            "query-subscription",
            "The question names a subscription that is not stored",
            "A macro such as posture.potential_increase takes the id or the name of a subscription, in any case; an "
            "empty answer would look like one that has nothing to do.",
            "List them: select subscription_id, subscription_name from posture.read_results.",
        ),
        Failure(
            "query-writes",
            "The SQL does more than read",
            "Questions are answered; nothing is written, attached, installed or set by them.",
            "Ask with select, from, show, describe, summarize, pivot, values or explain; `secscore query --format csv` "
            "prints an answer that can be kept.",
        ),
        Failure(
            "query-reaches-out",
            "The SQL reads a file that it may not read",
            "SQL reads the database; other files, and hosts, only where they are allowed.",
            "Allow the file or its folder: secscore query --allow PATH, or secscore_pipeline.open(allow=[PATH]).",
        ),
        Failure(
            "database-reaches-out",
            "The database reads files of this machine",
            "One of its views or macros reads something other than the database, which no database of ours does. "
            "Somebody has changed it. It was not let.",
            "Put back a copy of the database that you trust.",
        ),
        Failure(
            "path-absent",
            "A file or folder that SQL may read is not there",
            "What is allowed must be there when the database is opened.",
            "Check the path given to --allow.",
        ),
        Failure(
            "database-held",
            "Another process holds the database open",
            "DuckDB lets one process write a file, and nobody read it meanwhile.",
            "Close it there, or wait until that run has ended, and start again.",
        ),
        Failure(
            "export-unwritable",
            "The destination of an export cannot be used",
            "It may not be written, is full or out of reach, or the package for such a URL is not installed.",
            "Check the URL and what may write there; fsspec names a package that is missing. Start again: what was "
            "written stays, and the rest is gone on with.",
        ),
        Failure(
            "export-outside",
            "An export would leave its destination",
            "A name of a file, made of settings and data, leads out of the folder or URL that exports go to.",
            "Check SECSCORE_EXPORT_SOURCE and SECSCORE_EXPORT_REGION.",
        ),
        Failure(
            "view-unknown",
            "There is no view of that name",
            "`secscore export --view` takes the names of views in the schema posture; docs/tables.md explains each.",
            "Use {views}.",
        ),
        Failure(
            "export-foreign",
            "The destination holds files that no export wrote",
            "A destination has a folder _secscore that says what was exported. Without it, files under the names of "
            "exports belong to somebody else. Nothing was written.",
            "Export to an empty folder, or remove the files first.",
        ),
        Failure(
            "file-foreign",
            "A file of somebody else stands where one is to be written",
            "Only a file that this program wrote, which it knows by a mark in it, is replaced.",
            "Name another file, or move that one away.",
        ),
        Failure(
            "file-unwritable",
            "A file cannot be written",
            "Its folder may not be written or is none, or the disk is full. What was there is left as it was.",
            "Check the path and its permissions, or make room on that disk.",
        ),
        Failure(
            "report-unwritable",
            "The report cannot be written",
            "Its place is a folder, or may not be written, or the disk is full. What was there is left as it was.",
            "Change SECSCORE_REPORT or --output, or make room on that disk.",
        ),
        Failure(
            "journal-damaged",
            "The journal of alerts is damaged",
            "The file beside the database notes which alerts were delivered. Without it nobody knows what was "
            "delivered: so no alert is sent until somebody decides.",
            "Delete the file: alerts begin anew, with what happens from then on; what waited for delivery is lost.",
        ),
        Failure(
            "journal-held",
            "Another process holds the journal of alerts",
            "Deliveries are noted by one process at a time; a tool that has the file open can hold it for longer.",
            "Wait for the other process or end it; alerts follow at the next tick, or by `secscore alert`.",
        ),
        Failure(
            "journal-unwritable",
            "The journal of alerts cannot be written or read",
            "The disk is full or read-only, or permissions do not allow it. What cannot be noted is not sent: it would "
            "be sent again and again.",
            "Make room on the disk of the database, or check the permissions there.",
        ),
        Failure(
            "heartbeat-failing",
            "The heartbeat did not arrive",
            "After each complete sync SECSCORE_HEARTBEAT_URL is called, and whoever watches it did not take it. The "
            "sync itself is stored and published.",
            "Check SECSCORE_HEARTBEAT_URL and the way there: where none arrives, the watching service raises an alarm.",
        ),
        Failure(
            "metrics-unwritable",
            "The metrics file cannot be written",
            "Its folder is not there, may not be written, or is full; or a file of something else stands in its place, "
            "which is left as it is. The sync itself is stored and published.",
            "Check SECSCORE_METRICS_FILE, or remove the file that stands there.",
        ),
        Failure(
            "work-is-published",
            "Readers and runs have the same file",
            "A file that a run writes is locked, so readers have one of their own.",
            "Give SECSCORE_WORK_DATABASE another path, or leave it empty.",
        ),
        Failure(
            "runs-in-parallel",
            "Several runs would write one file",
            "A DuckDB file has one writer.",
            "Set SECSCORE_PARALLEL_RUNS to 1, or use a lake: docs/scale.md.",
        ),
        Failure(
            "queue-missing",
            "There is no queue to take runs from",
            "A worker takes runs from the queue of the instance in DAGSTER_HOME, by packages of the extra `workers`.",
            "Install secscore_pipeline[server,scale,workers], and put deploy/cluster/dagster.yaml into DAGSTER_HOME.",
        ),
        Failure(
            "catalog-malformed",
            "The lake's catalog is not named",
            "What follows ducklake: says which catalog it is.",
            "Write ducklake:postgres:host=catalog.example dbname=secscore, for example.",
        ),
        Failure(
            "password-in-setting",
            "A password stands in SECSCORE_DATABASE",
            "What stands there is shown in messages and in Dagster's UI.",
            "Take it out; give it as PGPASSWORD, or in a pgpass file (~/.pgpass, or where PGPASSFILE says).",
        ),
        Failure(
            "catalog-read-only",
            "The lake's catalog takes no writes",
            "Its server is a standby, or its disk is full: managed PostgreSQL then takes questions only.",
            "Make room on the catalog's server, or name its primary in SECSCORE_DATABASE, and start again.",
        ),
        Failure(
            "data-path-differs",
            "The lake's files are elsewhere",
            "A catalog knows where its lake's files are. A host with another SECSCORE_DATA_PATH would write them where "
            "nobody else looks.",
            "Set SECSCORE_DATA_PATH to what the lake was made with.",
        ),
        Failure(
            "object-store-refused",
            "The object store does not give or take files",
            "It cannot be reached, does not know who asks, or has no such bucket.",
            "Check SECSCORE_DATA_PATH, and the secret that DuckDB keeps for that store: docs/scale.md.",
        ),
        Failure(
            "catalog-unreachable",
            "The lake's catalog cannot be reached",
            "The PostgreSQL server is down or out of reach, or refuses the user.",
            "Check the server, SECSCORE_DATABASE, and PGPASSWORD or the pgpass file; then start again: what was begun "
            "was taken back.",
        ),
        Failure(
            "extension-missing",
            "DuckDB lacks an extension for lakes",
            "Its package is not installed, or is for another version of DuckDB, and DuckDB could not fetch it itself.",
            "Install secscore_pipeline[scale], which has those for DuckDB {version}; s3:// takes "
            "duckdb-extension-httpfs, abfss:// duckdb-extension-azure.",
        ),
        Failure(
            "database-older",
            "The file is of an older version",
            "It was written by an older secscore_pipeline and has not been opened for writing since.",
            "Run `secscore maintain` first, which brings it up to date.",
        ),
        Failure(
            "lake-not-empty",
            "The lake holds something else",
            "A file is moved into an empty lake, or into one where moving the same file was cut short.",
            "Name an empty catalog and data path.",
        ),
        Failure(
            "move-unfinished",
            "A file was moved into the lake in part only",
            "Moving it was cut short. A part of a past would be taken for the whole.",
            "Start `secscore migrate` again: it goes on where it was.",
        ),
        Failure(
            "no-such-moment",
            "The lake cannot be shown as it was then",
            "Nothing was stored yet at that moment, or it is longer ago than upkeep lets a lake be shown as it was.",
            "Name a later moment.",
        ),
        Failure(
            "store-busy",
            "Other processes write the store all the time",
            "Each try clashed with another process's writing, or its turn to write did not come.",
            "Start again later, or let fewer runs write at once.",
        ),
        Failure(
            "database-foreign",
            "The file is no database of this program",
            "It is no DuckDB file, or one of something else. It was left untouched.",
            "Change SECSCORE_DATABASE.",
        ),
        Failure(
            "database-newer",
            "The database was written by a newer version",
            "A newer secscore_pipeline or DuckDB wrote it. It was left untouched.",
            "Upgrade secscore_pipeline.",
        ),
        Failure(
            "database-damaged",
            "A database file is damaged",
            "A block of it does not agree with its checksum, or is missing: the disk, the memory or a copy lost it. "
            "What is damaged is never published.",
            "Keep it under another name: mv {file} {file}.damaged, and check the disk. If it is "
            "SECSCORE_WORK_DATABASE, start again: the next run begins with the published "
            "file. If it is SECSCORE_DATABASE, put the newest of "
            "the kept files (.previous-1 in its name) in its place: cp <that file> {file}, and start again.",
        ),
        Failure(
            "store-behind",
            "The file that runs write lacks what readers have",
            "An older copy of it was put back, or it is empty, or it is of another database. To publish it would lose "
            "what only the published file holds.",
            "If the published file is the right one, move the other away: mv {work} {work}.aside, and start again: "
            "the next run begins with the published file. If the file that runs write is the right one: mv {published} "
            "{published}.aside, and run `secscore maintain`, which publishes it.",
        ),
        Failure(
            "not-published",
            "What was stored could not be published",
            "The disk is full or read-only, or a limit or permission forbids it. Readers have what was published "
            "before; nothing is lost.",
            "Make room beside {published} or check its permissions, and run `secscore maintain`, or wait for the next "
            "run: either publishes everything that is stored.",
        ),
        Failure(
            "run-unpublished",
            "A run stored what it read, but readers do not have it",
            "No findings could be made of it, or the published file could not be replaced. Nothing is lost.",
            "Do what the message before this one says, and run `secscore maintain`: it publishes what is stored.",
        ),
        Failure(
            "clock-implausible",
            "The clock and the newest fetch are too far apart",
            "Either the clock of this machine is wrong, or was when that fetch was made, or nothing was read for "
            "weeks. "
            "A retention that trusted it would delete what should stay.",
            "Set the clock right, and run `secscore sync`; then start again. Nothing was deleted.",
        ),
        Failure(
            "database-unwritable",
            "The database cannot be written or read",
            "The disk is full or read-only, or the file's permissions do not allow it. What was begun was taken back.",
            "Make room on that disk, check its permissions or change SECSCORE_DATABASE, and start again.",
        ),
    ),
}

FAILURES = {failure.name: failure for part in PARTS.values() for failure in part}

PASSING = frozenset(
    {
        "name-unresolved",
        "unreachable",
        "proxy-failing",
        "tls-broken",
        "sign-in-failing",
        "throttled",
        "azure-failing",
        "read-broken",
        "database-held",
        "catalog-unreachable",
        "catalog-read-only",
        "object-store-refused",
        "store-busy",
        "journal-held",
    }
)
"""The failures that may be gone some minutes later, when nothing was changed."""
