# The queues that kms-exporter's changes.sqs_queue_url names, one for each shard, and the EventBridge rules that fill them.
# Apply it in the exporter's account and region. With an organization's id it makes the event bus too that other accounts
# and regions send to (module events-rule); without one the queues tell of this account and region alone.

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "organization_id" {
  description = "Id of the organization whose accounts may send events, null for events of this account and region alone."
  type        = string
  default     = null
}

variable "shards" {
  description = "How many shards the exporter has: each takes a queue of its own."
  type        = number
  default     = 1
}

variable "queue_name" {
  description = "Name of the queue; where there are several shards, the index of each is appended."
  type        = string
  default     = "kms-exporter-events"
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}

locals {
  queues = var.shards == 1 ? toset([var.queue_name]) : toset([for index in range(var.shards) : "${var.queue_name}-${index}"])
  bus    = var.organization_id == null ? "default" : aws_cloudwatch_event_bus.this[0].name
}

resource "aws_cloudwatch_event_bus" "this" {
  count = var.organization_id == null ? 0 : 1
  name  = "kms-exporter"
  tags  = var.tags
}

data "aws_iam_policy_document" "bus" {
  count = var.organization_id == null ? 0 : 1

  statement {
    sid       = "TheOrganizationAlone"
    effect    = "Allow"
    actions   = ["events:PutEvents"]
    resources = [aws_cloudwatch_event_bus.this[0].arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalOrgID"
      values   = [var.organization_id]
    }
  }
}

resource "aws_cloudwatch_event_bus_policy" "this" {
  count          = var.organization_id == null ? 0 : 1
  event_bus_name = aws_cloudwatch_event_bus.this[0].name
  policy         = data.aws_iam_policy_document.bus[0].json
}

resource "aws_sqs_queue" "dead" {
  for_each                  = local.queues
  name                      = "${each.value}-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

resource "aws_sqs_queue" "this" {
  for_each                   = local.queues
  name                       = each.value
  message_retention_seconds  = 86400 # events that are a day old tell nothing that passes have not found
  receive_wait_time_seconds  = 20
  visibility_timeout_seconds = 60
  sqs_managed_sse_enabled    = true
  tags                       = var.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead[each.value].arn
    maxReceiveCount     = 10
  })
}

data "aws_iam_policy_document" "queue" {
  for_each = local.queues

  statement {
    sid       = "TheRuleAlone"
    effect    = "Allow"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.this[each.value].arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.this[each.value].arn]
    }
  }
}

resource "aws_sqs_queue_policy" "this" {
  for_each  = local.queues
  queue_url = aws_sqs_queue.this[each.value].id
  policy    = data.aws_iam_policy_document.queue[each.value].json
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each       = local.queues
  name           = each.value
  description    = "Changes of KMS keys, for kms-exporter"
  event_bus_name = local.bus
  event_pattern  = file("${path.module}/../../events/pattern.json")
  tags           = var.tags
}

resource "aws_cloudwatch_event_target" "queue" {
  for_each       = local.queues
  rule           = aws_cloudwatch_event_rule.this[each.value].name
  event_bus_name = local.bus
  target_id      = "queue"
  arn            = aws_sqs_queue.this[each.value].arn
}

output "queue_urls" {
  description = "What changes.sqs_queue_url is set to; with several shards, {shard} stands for the index."
  value       = [for name in sort(local.queues) : aws_sqs_queue.this[name].id]
}

output "event_bus_arn" {
  description = "What the module events-rule is given, null without an organization."
  value       = one(aws_cloudwatch_event_bus.this[*].arn)
}
