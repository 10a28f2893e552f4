# Sends changes of the KMS keys of one account and region to the event bus of the module events-hub. Apply it in every
# account and region that kms-exporter watches, its own included. CloudTrail must have a trail there that records
# management events, else EventBridge learns of no request.

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "event_bus_arn" {
  description = "ARN of the event bus in the exporter's account."
  type        = string
}

variable "tags" {
  description = "Tags of rule and role."
  type        = map(string)
  default     = {}
}

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "EventBridge"
    effect  = "Allow"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "send" {
  statement {
    sid       = "SendToTheBus"
    effect    = "Allow"
    actions   = ["events:PutEvents"]
    resources = [var.event_bus_arn]
  }
}

resource "aws_iam_role" "sender" {
  name_prefix        = "kms-exporter-events-" # IAM is global, and there is one in each region
  description        = "Lets EventBridge send changes of KMS keys to the bus of kms-exporter"
  assume_role_policy = data.aws_iam_policy_document.trust.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "send" {
  name   = "send"
  role   = aws_iam_role.sender.id
  policy = data.aws_iam_policy_document.send.json
}

resource "aws_cloudwatch_event_rule" "this" {
  name          = "kms-exporter"
  description   = "Changes of KMS keys, for kms-exporter"
  event_pattern = file("${path.module}/../../events/pattern.json")
  tags          = var.tags
}

resource "aws_cloudwatch_event_target" "bus" {
  rule      = aws_cloudwatch_event_rule.this.name
  target_id = "bus"
  arn       = var.event_bus_arn
  role_arn  = aws_iam_role.sender.arn
}

output "rule_arn" {
  description = "The rule."
  value       = aws_cloudwatch_event_rule.this.arn
}
