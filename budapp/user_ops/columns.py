"""Columns that lists of people share, here and in the domains above."""

from sqlalchemy import func, literal_column, select

from budapp.user_ops.models import CustomRole, User, UserStatus

CUSTOM_ROLE = (
    select(func.jsonb_build_object(literal_column("'id'"), CustomRole.id, literal_column("'name'"), CustomRole.name))
    .where(CustomRole.id == User.custom_role_id)
    .correlate(User)
    .scalar_subquery()
    .label("custom_role")
)
"""Id and name of the person's custom role, or null."""

PRESENT = User.status != literal_column(f"'{UserStatus.DELETED}'")
"""The condition for people who are not deleted, spelled out so that indexes on them serve prepared statements."""
