"""A key as DescribeKey and CreateKey tell it (KMS API, `KeyMetadata`)."""

import hashlib
from typing import Any, Final

from exporter.demo.keys import Family, Key

_RSA_SIGNING: Final = tuple(
    f"RSASSA_{scheme}_SHA_{bits}" for scheme in ("PSS", "PKCS1_V1_5") for bits in (256, 384, 512)
)
_ECDSA: Final = {
    "ECC_NIST_P256": ("ECDSA_SHA_256",),
    "ECC_NIST_P384": ("ECDSA_SHA_384",),
    "ECC_NIST_P521": ("ECDSA_SHA_512",),
    "ECC_SECG_P256K1": ("ECDSA_SHA_256",),
    "ECC_NIST_EDWARDS25519": ("ED25519_SHA_512", "ED25519_PH_SHA_512"),
    "SM2": ("SM2DSA",),
}
_SPECS_UNKNOWN_TO_THE_OLD_FIELD: Final = ("ML_", "ECC_NIST_EDWARDS")


def metadata(key: Key) -> dict[str, Any]:
    """Return the `KeyMetadata` of a key; members that do not apply are absent, as KMS leaves them out."""
    vault = key.vault
    answer: dict[str, Any] = {
        "AWSAccountId": vault.account_id,
        "KeyId": key.key_id,
        "Arn": key.arn,
        "CreationDate": key.created_at,
        "Enabled": key.state == "Enabled",
        "Description": key.description,
        "KeyUsage": key.usage,
        "KeyState": key.state,
        "Origin": key.origin,
        "KeyManager": key.manager,
        "KeySpec": key.spec,
        "MultiRegion": key.family is not None,
    }
    if not key.spec.startswith(_SPECS_UNKNOWN_TO_THE_OLD_FIELD):
        answer["CustomerMasterKeySpec"] = key.spec
    _add_algorithms(answer, key)
    _add_material(answer, key)
    if key.state == "PendingDeletion":
        answer["DeletionDate"] = key.deletion_at
    elif key.state == "PendingReplicaDeletion":
        answer["PendingDeletionWindowInDays"] = key.window_days
    if key.family is not None:
        answer["MultiRegionConfiguration"] = _multi_region(key, key.family)
    return answer


def _add_algorithms(answer: dict[str, Any], key: Key) -> None:
    spec = key.spec
    match key.usage:
        case "ENCRYPT_DECRYPT" if spec.startswith("RSA_"):
            answer["EncryptionAlgorithms"] = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
        case "ENCRYPT_DECRYPT":
            answer["EncryptionAlgorithms"] = ["SM2PKE" if spec == "SM2" else spec]
        case "SIGN_VERIFY" if spec.startswith("ML_DSA_"):
            answer["SigningAlgorithms"] = ["ML_DSA_SHAKE_256"]
        case "SIGN_VERIFY":
            answer["SigningAlgorithms"] = list(_ECDSA.get(spec, _RSA_SIGNING))
        case "GENERATE_VERIFY_MAC":
            answer["MacAlgorithms"] = [spec.replace("HMAC_", "HMAC_SHA_")]
        case "KEY_AGREEMENT":
            answer["KeyAgreementAlgorithms"] = ["ECDH"]
        case "ENCAPSULATE_DECAPSULATE":
            answer["EncapsulationAlgorithms"] = ["ML_KEM"]


def _add_material(answer: dict[str, Any], key: Key) -> None:
    if key.material is not None:
        expires = key.material.expires_at
        answer["ExpirationModel"] = "KEY_MATERIAL_DOES_NOT_EXPIRE" if expires is None else "KEY_MATERIAL_EXPIRES"
        if expires is not None:
            answer["ValidTo"] = expires
    if key.store is not None:
        answer["CustomKeyStoreId"] = key.store.store_id
        if key.store.cloud_hsm_cluster_id is not None:
            answer["CloudHsmClusterId"] = key.store.cloud_hsm_cluster_id
        if key.store.xks_key_id is not None:
            answer["XksKeyConfiguration"] = {"Id": key.store.xks_key_id}
    has_material = key.origin == "AWS_KMS" or key.material is not None
    if has_material and key.spec == "SYMMETRIC_DEFAULT":
        answer["CurrentKeyMaterialId"] = hashlib.sha256(key.key_id.encode()).hexdigest()


def _multi_region(key: Key, family: Family) -> dict[str, Any]:
    primary_arn = key.arn.replace(f":{key.region}:", f":{family.primary_region}:", 1)
    return {
        "MultiRegionKeyType": "PRIMARY" if key.is_primary else "REPLICA",
        "PrimaryKey": {"Arn": primary_arn, "Region": family.primary_region},
        "ReplicaKeys": [{"Arn": replica.arn, "Region": replica.region} for replica in family.replicas],
    }
