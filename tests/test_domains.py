"""What of Mastra's storage is here: the table of its domains, against the class."""

import pytest

from mastra_convex import ConvexStorage, UnsupportedDomainError
from mastra_convex.domains import METHODS, UNSUPPORTED, method_name, require_domain

# Domains of which some methods are not here yet; the reference says which.
INCOMPLETE = {"observability"}


def test_all_domains_are_named_once() -> None:
    assert len({*METHODS, *UNSUPPORTED}) == len(METHODS) + len(UNSUPPORTED) == 24


@pytest.mark.parametrize("domain", METHODS)
def test_every_method_of_a_supported_domain_is_here(domain: str) -> None:
    names = {name: method_name(domain, name) for name in METHODS[domain]}
    missing = {name for name, ours in names.items() if not (ours and hasattr(ConvexStorage, ours))}
    assert bool(missing) == (domain in INCOMPLETE), missing
    assert len(set(METHODS[domain])) == len(METHODS[domain])


def test_names_follow_from_mastras() -> None:
    assert method_name("scores", "listScoresByScorerId") == "list_scores_by_scorer_id"
    assert method_name("scores", "dangerouslyClearAll") == "clear_table"


@pytest.mark.parametrize(("other", "name"), [("scores", "getScoreById")])
def test_a_method_of_other_records_is_not_taken_for_mastras(other: str, name: str) -> None:
    assert hasattr(ConvexStorage, method_name(other, name) or "")
    assert method_name("observability", name) != method_name(other, name)


@pytest.mark.parametrize("domain", UNSUPPORTED)
def test_what_is_not_here_says_so(domain: str) -> None:
    with pytest.raises(UnsupportedDomainError, match=f"domain {domain!r} of Mastra's") as caught:
        require_domain(domain)
    assert caught.value.data == {"domain": domain}


@pytest.mark.parametrize("domain", ["", "Memory", None, 5])
def test_what_is_no_domain_is_refused(domain: object) -> None:
    with pytest.raises(UnsupportedDomainError, match=r"has no domain .* those that are supported"):
        require_domain(domain)
