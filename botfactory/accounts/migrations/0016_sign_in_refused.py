from __future__ import annotations

from django.db import migrations, models

from botfactory.rewording import Reword


class Migration(migrations.Migration):
    dependencies = [("accounts", "0015_copies_of_addresses")]

    operations = [
        Reword(
            model_name="securityentry",
            name="action",
            field=models.CharField(
                choices=[
                    ("signed_in", "Signed in"),
                    ("sign_in_failed", "Wrong password"),
                    ("sign_in_refused", "Right password, but deactivated"),
                    ("code_failed", "Wrong two-factor code"),
                    ("password_changed", "Password changed"),
                    ("password_reset", "Password reset with a link"),
                    ("reset_link_made", "Reset link created"),
                    ("token_made", "API token created"),
                    ("token_revoked", "API token revoked"),
                    ("two_factor_on", "Two-factor turned on"),
                    ("two_factor_off", "Two-factor turned off"),
                    ("codes_made", "Recovery codes created"),
                    ("address_changed", "Email address changed"),
                    ("roles_changed", "Roles changed"),
                    ("deactivated", "Deactivated"),
                    ("activated", "Activated"),
                    ("deleted", "Account deleted"),
                ],
                max_length=24,
                verbose_name="action",
            ),
        ),
    ]
