"""Who is let in with a password, and what it costs: bcrypt is counted, not timed."""

import asyncio
import base64

import bcrypt
import pytest

from exporter.web.security.passwords import Passwords, verify_beside


def hashed(password: bytes, rounds: int = 4) -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(rounds)).decode()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Counter:
    """Verifies as the real one does, and counts."""

    def __init__(self) -> None:
        self.calls: list[tuple[bytes, bytes]] = []

    async def __call__(self, password: bytes, hash_: bytes) -> bool:
        self.calls.append((password, hash_))
        await asyncio.sleep(0)
        return bcrypt.checkpw(password, hash_)


ALICE, BOB = hashed(b"wonderland"), hashed(b"builder", rounds=5)


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def passwords(counter: Counter) -> Passwords:
    return Passwords({"alice": ALICE, "bob": BOB}, counter)


def admit(passwords: Passwords, *headers: str) -> list[bool]:
    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*map(passwords.admit, headers))

    return asyncio.run(all_at_once())


def test_the_right_password_lets_in(passwords: Passwords) -> None:
    assert admit(passwords, basic("alice", "wonderland"), basic("bob", "builder")) == [True, True]


@pytest.mark.parametrize(
    "header",
    [
        basic("alice", "builder"),
        basic("alice", ""),
        basic("", "wonderland"),
        basic("carol", "wonderland"),
        basic("alice:wonder", "land"),
        "",
        "Basic",
        "Basic !!!",
        "Basic YWxpY2U=",
        "Bearer " + basic("alice", "wonderland").removeprefix("Basic "),
    ],
)
def test_anything_else_does_not(passwords: Passwords, header: str) -> None:
    assert admit(passwords, header) == [False]


def test_the_scheme_is_written_in_any_case(passwords: Passwords) -> None:
    assert admit(passwords, basic("alice", "wonderland").replace("Basic", "bASIC")) == [True]


def test_names_and_passwords_are_utf_8(counter: Counter) -> None:
    assert admit(Passwords({"zoë": hashed("pässwörd".encode())}, counter), basic("zoë", "pässwörd")) == [True]


def test_a_password_that_was_right_costs_one_bcrypt(passwords: Passwords, counter: Counter) -> None:
    for _ in range(100):
        assert admit(passwords, basic("alice", "wonderland")) == [True]
    assert len(counter.calls) == 1


def test_scrapes_that_come_together_cost_one_bcrypt(passwords: Passwords, counter: Counter) -> None:
    assert all(admit(passwords, *[basic("alice", "wonderland")] * 20))
    assert len(counter.calls) == 1


def test_a_wrong_password_costs_a_bcrypt_each_time_and_is_remembered_nowhere(
    passwords: Passwords, counter: Counter
) -> None:
    assert not any(admit(passwords, *[basic("alice", "guess")] * 3, *[basic("alice", "another guess")] * 3))
    assert len(counter.calls) == 6
    assert not passwords._known


def test_a_wrong_password_costs_the_same_when_the_right_one_is_remembered(
    passwords: Passwords, counter: Counter
) -> None:
    admit(passwords, basic("alice", "wonderland"))
    assert admit(passwords, basic("alice", "looking-glass")) == [False]
    assert len(counter.calls) == 2


def test_a_user_that_does_not_exist_costs_as_much_as_the_dearest_that_does(
    passwords: Passwords, counter: Counter
) -> None:
    assert admit(passwords, basic("carol", "builder")) == [False]
    assert counter.calls == [(b"builder", BOB.encode())]


def test_guessing_does_not_make_room_by_forgetting_who_was_right(passwords: Passwords, counter: Counter) -> None:
    admit(passwords, basic("alice", "wonderland"))
    admit(passwords, *[basic(f"user {number}", "x") for number in range(50)])
    before = len(counter.calls)
    assert admit(passwords, basic("alice", "wonderland")) == [True]
    assert len(counter.calls) == before
    assert len(passwords._known) == 1


def test_user_and_password_can_not_be_told_apart_differently(counter: Counter) -> None:
    passwords = Passwords({"a": hashed(b"bc"), "ab": hashed(b"x")}, counter)
    admit(passwords, basic("a", "bc"))
    assert admit(passwords, basic("ab", "c")) == [False]


def test_what_is_remembered_is_not_the_password(passwords: Passwords) -> None:
    admit(passwords, basic("alice", "wonderland"))
    assert b"wonderland" not in b"".join(passwords._known.values())


def test_one_password_is_verified_at_a_time() -> None:
    running = most = 0

    async def verify(_: bytes, __: bytes) -> bool:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return False

    admit(Passwords({"alice": ALICE}, verify), *[basic("alice", str(guess)) for guess in range(10)])
    assert most == 1


class TestBcrypt:
    """The verifier that is used."""

    @pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
    def test_hashes_of_htpasswd_and_others_are_known(self, prefix: str) -> None:
        assert asyncio.run(verify_beside(b"wonderland", (prefix + ALICE[4:]).encode()))

    def test_a_long_password_counts_as_far_as_bcrypt_goes(self) -> None:
        # What htpasswd does.
        assert asyncio.run(verify_beside(b"a" * 100, hashed(b"a" * 72).encode()))

    def test_it_runs_in_another_thread(self) -> None:
        async def others_run() -> bool:
            ticks = 0

            async def tick() -> None:
                nonlocal ticks
                while True:
                    ticks += 1
                    await asyncio.sleep(0)

            ticking = asyncio.create_task(tick())
            await verify_beside(b"x", hashed(b"y", rounds=8).encode())
            ticking.cancel()
            return ticks > 1

        assert asyncio.run(others_run())
