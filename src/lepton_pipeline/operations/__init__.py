"""What happens after training: monitoring, retraining, schedules, alerts."""
