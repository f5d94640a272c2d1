from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from botfactory.accounts import services
from botfactory.accounts.models import User


@admin.register(User)
class AccountAdmin(UserAdmin[User]):
    list_display = ["username", "email", "is_active", "is_staff", "date_joined", "last_login", "jobs"]
    list_filter = ["is_active", "is_staff", "is_superuser", "date_joined"]
    date_hierarchy = "date_joined"

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        people: QuerySet[User] = super().get_queryset(request)
        return people.annotate(job_count=Count("jobs", distinct=True))

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        services.delete_account(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            services.delete_account(user)

    @admin.display(ordering="job_count")
    def jobs(self, user: User) -> int:
        count: int = user.job_count  # type: ignore[attr-defined]
        return count
