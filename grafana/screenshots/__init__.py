"""Pictures of the dashboards: a week of the demo, recorded and drawn."""
