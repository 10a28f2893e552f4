# The role through which kms-exporter watches the KMS keys of one account. Its policies are the files of iam/policies, so
# take this module with the whole repository: source = "git::https://HOST/PATH.git//iam/terraform/member-role?ref=TAG"

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "exporter_role_arn" {
  description = "ARN of the role that kms-exporter runs as. Nobody else may assume this role."
  type        = string
}

variable "role_name" {
  description = "The exporter's aws.organization.role_name, without its path."
  type        = string
  default     = "KmsExporter"
}

variable "path" {
  description = "Path of the role."
  type        = string
  default     = "/"
}

variable "external_id" {
  description = "The exporter's aws.accounts[].external_id; empty for none, which an organization needs."
  type        = string
  default     = ""
  sensitive   = true
}

variable "features" {
  description = "Which of iam/policies the role gets: core; deletions for who, last use and grants; tags for the acknowledgement tag and keys.tags."
  type        = set(string)
  default     = ["core", "deletions", "tags"]

  validation {
    condition     = contains(var.features, "core") && length(setsubtract(var.features, ["core", "deletions", "tags"])) == 0
    error_message = "core is needed, deletions and tags may be added."
  }
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
    sid     = "ExporterOnly"
    effect  = "Allow"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = [var.exporter_role_arn]
    }

    dynamic "condition" {
      for_each = nonsensitive(var.external_id == "") ? [] : [1]
      content {
        test     = "StringEquals"
        variable = "sts:ExternalId"
        values   = [var.external_id]
      }
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = var.role_name
  path                 = var.path
  description          = "Lets kms-exporter watch the KMS keys of this account"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = 3600
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy" "feature" {
  for_each = var.features
  name     = each.value
  role     = aws_iam_role.this.id
  # Any partition, also one that iam/policies has no folder for.
  policy = replace(file("${path.module}/../../policies/aws/${each.value}.json"), "arn:aws:", "arn:${data.aws_partition.current.partition}:")
}

output "role_arn" {
  description = "For the exporter's aws.accounts[].role_arn."
  value       = aws_iam_role.this.arn
}
