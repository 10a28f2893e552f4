"""KMS: cryptographic operations and what is known of the last one (KMS API Reference)."""

import pytest

from exporter.demo.ciphertexts import BadCiphertextError, Sealed, seal, unseal
from exporter.demo.keys import DAY

HOME, MEMBER = "111122223333", "222233334444"


@pytest.fixture
def vault(world):
    return world.vault(HOME, "eu-west-1")


@pytest.fixture
def key(vault):
    return vault.create_key(alias="alias/a")


@pytest.fixture
def last_use(kms):
    return lambda key: kms.get_key_last_usage(KeyId=key.key_id)["KeyLastUsage"]


@pytest.mark.parametrize("name", ["{0.key_id}", "{0.arn}", "alias/a", "{0.vault.arn_prefix}alias/a"])
def test_what_was_encrypted_is_decrypted(kms, key, name):
    encrypted = kms.encrypt(KeyId=name.format(key), Plaintext=b"secret")

    decrypted = kms.decrypt(CiphertextBlob=encrypted["CiphertextBlob"])

    assert decrypted["Plaintext"] == b"secret"
    assert encrypted["KeyId"] == decrypted["KeyId"] == key.arn


def test_a_ciphertext_is_opaque_and_never_the_same(kms, key):
    first, second = (kms.encrypt(KeyId=key.key_id, Plaintext=b"secret")["CiphertextBlob"] for _ in range(2))

    assert first != second
    assert not any(text in first for text in (b"secret", key.key_id.encode()))


def test_a_data_key_is_told_in_the_clear_and_encrypted(kms, key):
    made = kms.generate_data_key(KeyId=key.key_id, KeySpec="AES_256")

    assert len(made["Plaintext"]) == 32
    assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"]
    assert len(kms.generate_data_key(KeyId=key.key_id, NumberOfBytes=7)["Plaintext"]) == 7


@pytest.mark.parametrize("asked", [{}, {"KeySpec": "AES_128", "NumberOfBytes": 16}])
def test_a_data_key_has_one_size(aws, kms, key, asked):
    assert aws.code(kms.generate_data_key, KeyId=key.key_id, **asked) == "ValidationException"


def test_another_encryption_context_does_not_decrypt(aws, kms, key):
    blob = kms.encrypt(KeyId=key.key_id, Plaintext=b"x", EncryptionContext={"table": "cards"})["CiphertextBlob"]

    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"table": "cards"})["Plaintext"] == b"x"
    assert aws.code(kms.decrypt, CiphertextBlob=blob) == "InvalidCiphertextException"


def test_what_kms_did_not_make_is_no_ciphertext(aws, kms):
    assert aws.code(kms.decrypt, CiphertextBlob=b"garbage") == "InvalidCiphertextException"


def test_a_ciphertext_that_was_changed_is_none():
    blob = seal(Sealed("key", b"secret"), {}, bytes(16))

    assert unseal(blob, {}) == Sealed("key", b"secret")
    for position in range(len(blob)):
        changed = bytearray(blob)
        changed[position] ^= 1
        with pytest.raises(BadCiphertextError):
            unseal(bytes(changed), {})


def test_another_key_does_not_decrypt(aws, kms, vault, key):
    blob = kms.encrypt(KeyId=key.key_id, Plaintext=b"x")["CiphertextBlob"]
    other = vault.create_key()

    assert aws.code(kms.decrypt, CiphertextBlob=blob, KeyId=other.key_id) == "IncorrectKeyException"


def test_what_a_deleted_key_encrypted_is_lost(aws, kms, vault, key):
    blob = kms.encrypt(KeyId=key.key_id, Plaintext=b"x")["CiphertextBlob"]
    vault.delete(key.key_id)

    assert aws.code(kms.decrypt, CiphertextBlob=blob) == "NotFoundException"


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("Disabled", "DisabledException"),
        ("PendingDeletion", "KMSInvalidStateException"),
        ("PendingReplicaDeletion", "KMSInvalidStateException"),
        ("PendingImport", "KMSInvalidStateException"),
        ("Unavailable", "KMSInvalidStateException"),
    ],
)
def test_a_key_that_is_not_enabled_serves_nobody(aws, kms, key, state, code):
    blob = kms.encrypt(KeyId=key.key_id, Plaintext=b"x")["CiphertextBlob"]
    key.state = state

    assert aws.code(kms.decrypt, CiphertextBlob=blob) == code
    assert aws.code(kms.encrypt, KeyId=key.key_id, Plaintext=b"x") == code
    assert aws.code(kms.generate_data_key, KeyId=key.key_id, NumberOfBytes=1) == code


def test_a_pending_key_may_refuse_as_if_disabled(kms, world, vault, key):
    world.rules.pending_refusal = "DisabledException"
    vault.schedule_deletion(key.key_id)

    with pytest.raises(kms.exceptions.DisabledException, match=r"is pending deletion\."):
        kms.encrypt(KeyId=key.key_id, Plaintext=b"x")


def test_a_key_that_signs_does_not_encrypt(aws, kms, vault):
    key = vault.create_key(spec="RSA_2048", usage="SIGN_VERIFY")

    assert aws.code(kms.encrypt, KeyId=key.key_id, Plaintext=b"x") == "InvalidKeyUsageException"


def test_a_policy_can_deny_the_use(aws, kms, key):
    blob = kms.encrypt(KeyId=key.key_id, Plaintext=b"x")["CiphertextBlob"]
    key.denied = frozenset({"Decrypt"})

    assert aws.code(kms.decrypt, CiphertextBlob=blob) == "AccessDeniedException"


@pytest.mark.parametrize("operation", ["Encrypt", "Decrypt", "GenerateDataKey"])
def test_the_last_use_is_told(kms, key, last_use, clock, operation):
    blob = kms.encrypt(KeyId=key.key_id, Plaintext=b"x")["CiphertextBlob"]
    clock.time += 60
    response = {
        "Encrypt": lambda: kms.encrypt(KeyId=key.key_id, Plaintext=b"x"),
        "Decrypt": lambda: kms.decrypt(CiphertextBlob=blob),
        "GenerateDataKey": lambda: kms.generate_data_key(KeyId=key.key_id, NumberOfBytes=1),
    }[operation]()

    last = last_use(key)

    assert (last["Operation"], last["Timestamp"].timestamp()) == (operation, clock.time)
    assert last["KmsRequestId"] == response["ResponseMetadata"]["RequestId"]


def test_a_refused_use_is_no_use(vault, key, last_use, clock):
    vault.use(key.key_id, "Encrypt")
    vault.schedule_deletion(key.key_id)
    clock.time += DAY

    assert not vault.use(key.key_id)
    assert last_use(key)["Operation"] == "Encrypt"


def test_a_use_of_the_past_does_not_undo_a_later_one(vault, key, last_use, clock):
    clock.time += 2 * DAY
    vault.use(key.key_id, "Encrypt")
    vault.use(key.key_id, "Decrypt", at=clock.time - DAY)

    assert last_use(key)["Operation"] == "Encrypt"


def test_a_use_can_be_told_of_the_time_before_a_key_was_scheduled(vault, key, last_use, clock):
    clock.time += 2 * DAY
    vault.schedule_deletion(key.key_id)

    assert vault.use(key.key_id, at=clock.time - DAY)
    assert last_use(key)["Timestamp"].timestamp() == clock.time - DAY


def test_a_key_that_was_never_used_is_tracked_since_its_creation(kms, vault, clock):
    key = vault.create_key(created_at=clock.time - 30 * DAY)

    answer = kms.get_key_last_usage(KeyId=key.arn)

    assert answer["KeyLastUsage"] == {}
    assert answer["TrackingStartDate"] == answer["KeyCreationDate"]
    assert answer["KeyCreationDate"].timestamp() == clock.time - 30 * DAY


def test_nothing_is_known_of_the_time_before_tracking(kms, world, vault, clock):
    key = vault.create_key(created_at=clock.time - 400 * DAY)
    vault.use(key.key_id, at=clock.time - 200 * DAY)

    answer = kms.get_key_last_usage(KeyId=key.key_id)

    assert answer["KeyLastUsage"] == {}
    assert answer["TrackingStartDate"].timestamp() == clock.time - 180 * DAY
    world.rules.tracking_start = clock.time - 300 * DAY
    assert kms.get_key_last_usage(KeyId=key.key_id)["KeyLastUsage"]["Operation"] == "Decrypt"


def test_replicas_are_used_on_their_own(aws, world, vault, last_use):
    primary = vault.create_key(multi_region=True)
    replica = world.replicate(primary, "us-east-1")
    replica.vault.use(replica.key_id)

    assert last_use(primary) == {}
    assert aws.client("kms", "us-east-1").get_key_last_usage(KeyId=replica.key_id)["KeyLastUsage"]


def test_the_last_use_is_not_told_by_alias_nor_to_another_account(aws, kms, world, vault):
    vault.create_key(alias="alias/b")
    elsewhere = world.vault(MEMBER, "eu-west-1").create_key()

    assert aws.code(kms.get_key_last_usage, KeyId="alias/b") == "NotFoundException"
    assert aws.code(kms.get_key_last_usage, KeyId=elsewhere.arn) == "AccessDeniedException"


def test_a_policy_can_deny_to_tell_the_last_use(aws, kms, key):
    key.denied = frozenset({"GetKeyLastUsage"})

    assert aws.code(kms.get_key_last_usage, KeyId=key.key_id) == "AccessDeniedException"


def test_a_region_may_not_know_the_operation(aws, world, key, last_use):
    world.rules.missing.add(("us-east-1", "GetKeyLastUsage"))
    elsewhere = aws.client("kms", "us-east-1")

    with pytest.raises(elsewhere.exceptions.ClientError) as failure:
        elsewhere.get_key_last_usage(KeyId=key.key_id)

    assert failure.value.response["Error"]["Code"] == "UnknownOperationException"
    assert last_use(key) == {}
