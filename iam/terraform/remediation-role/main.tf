# The role through which people save the KMS keys of one account: it may see what kms-exporter sees, cancel the deletion of
# keys and enable them. It is for people, never for kms-exporter itself, and optional. Its policies are the files of
# iam/policies and iam/remediation, so take this module with the whole repository: source = "git::https://HOST/PATH.git//iam/terraform/remediation-role?ref=TAG"

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "trusted_arn" {
  description = "ARN of the role or user of those who may save keys. Nobody else may assume this role."
  type        = string
}

variable "role_name" {
  description = "What kms-exporter cancel-deletion is given as --role-name."
  type        = string
  default     = "KmsKeyRescue"
}

variable "permissions_boundary" {
  description = "ARN of a permissions boundary, null for none."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of the role."
  type        = map(string)
  default     = {}
}

data "aws_partition" "current" {}

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "PeopleWhoSaveKeys"
    effect  = "Allow"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = [var.trusted_arn]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = var.role_name
  description          = "Lets people cancel the deletion of the KMS keys of this account, and enable them"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = 3600
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

# What cancel-deletion finds pending keys with, and what it shows of them.
resource "aws_iam_role_policy" "feature" {
  for_each = toset(["core", "deletions", "tags"])
  name     = each.value
  role     = aws_iam_role.this.id
  # Any partition, also one that iam/policies has no folder for.
  policy = replace(file("${path.module}/../../policies/aws/${each.value}.json"), "arn:aws:", "arn:${data.aws_partition.current.partition}:")
}

resource "aws_iam_role_policy" "remediation" {
  name = "remediation"
  role = aws_iam_role.this.id
  # Any partition, also one that iam/remediation has no file for.
  policy = replace(file("${path.module}/../../remediation/aws.json"), "arn:aws:", "arn:${data.aws_partition.current.partition}:")
}

output "role_arn" {
  description = "The role."
  value       = aws_iam_role.this.arn
}
