"""AWS Organizations (API Reference, 2016-11-28)."""

from typing import Any, Final

from exporter.demo.arns import arn
from exporter.demo.errors import AwsError
from exporter.demo.paging import BadMarkerError, page
from exporter.demo.services.base import Answer, Call, Code, Service, json_codes
from exporter.demo.services.parameters import count
from exporter.demo.world import Account, Organization

_STATES_WITH_STATUS: Final = frozenset({"ACTIVE", "SUSPENDED", "PENDING_CLOSURE"})


def list_accounts(call: Call) -> Answer:
    """List the organization's accounts, at most 20 a page, for those who may."""
    organization = call.world.organization
    if organization is None:
        raise AwsError("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
    if call.account_id not in organization.listers:
        raise AwsError("AccessDeniedException", "You don't have permissions to access this resource.")
    members = {account_id: account for account_id, account in call.world.accounts.items() if account.member}
    limit = count(call, "MaxResults", largest=20, default=20)
    empty_first = call.operation in call.world.rules.empty_pages
    try:
        ids, token = page(sorted(members), limit, call.params.get("NextToken"), empty_first=empty_first)
    except BadMarkerError:
        raise AwsError("InvalidInputException", "You provided an invalid NextToken.") from None
    answer: Answer = {"Accounts": [_account(call, organization, members[each]) for each in ids]}
    if token is not None:
        answer["NextToken"] = token
    return answer


def _account(call: Call, organization: Organization, account: Account) -> dict[str, Any]:
    resource = f"account/{organization.organization_id}/{account.account_id}"
    answer = {
        "Id": account.account_id,
        "Arn": arn("organizations", "", organization.management_account, resource, of=call.region),
        "Email": f"aws+{account.account_id}@example.com",
        "Name": account.name,
        "State": account.state,
        "JoinedMethod": "CREATED",
        "JoinedTimestamp": account.joined_at,
    }
    if organization.tells_status and account.state in _STATES_WITH_STATUS:
        answer["Status"] = account.state
    return answer


SERVICE: Final = Service(
    name="organizations",
    codes=json_codes(throttled=Code("TooManyRequestsException"), internal=Code("ServiceException", 500)),
    operations={"ListAccounts": list_accounts},
)
