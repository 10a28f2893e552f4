# What the role that kms-exporter runs as may do, attached to a role that exists already (IRSA, Pod Identity, ECS, EC2).
# Take this module with the whole repository: source = "git::https://HOST/PATH.git//iam/terraform/hub?ref=TAG"

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "exporter_role_name" {
  description = "Name of the role that kms-exporter runs as."
  type        = string
}

variable "features" {
  description = "Which of iam/policies the role gets: core, deletions and tags for its own account; organization; config; queue; hub to enter others."
  type        = set(string)
  default     = ["core", "deletions", "tags"]

  validation {
    condition     = length(setsubtract(var.features, ["core", "deletions", "tags", "organization", "config", "queue", "hub"])) == 0
    error_message = "core, deletions, tags, organization, config, queue and hub may be chosen."
  }
}

variable "member_role_name" {
  description = "Name of the role in the watched accounts, path included."
  type        = string
  default     = "KmsExporter"
}

variable "queue_name" {
  description = "Name of the queue that changes.sqs_queue_url names, with * at its end for those of several shards; for the feature queue."
  type        = string
  default     = "kms-exporter-events*"
}

data "aws_partition" "current" {}

resource "aws_iam_role_policy" "feature" {
  for_each = var.features
  name     = "kms-exporter-${each.value}"
  role     = var.exporter_role_name
  policy = replace(
    replace(
      # Any partition, also one that iam/policies has no folder for.
      replace(file("${path.module}/../../policies/aws/${each.value}.json"), "arn:aws:", "arn:${data.aws_partition.current.partition}:"),
      ":role/KmsExporter",
      ":role/${var.member_role_name}",
    ),
    ":kms-exporter-events*",
    ":${var.queue_name}",
  )
}
