"""Lists, page by page."""

import asyncio

from budapp_client import Budapp, each
from budapp_client.rest.api.projects import projects_create, projects_delete, projects_list
from budapp_client.rest.models import ProjectCreate


async def test_all_pages_are_read(api: Budapp) -> None:
    def names() -> list[str]:
        for number in range(5):
            projects_create.sync(client=api, body=ProjectCreate(name=f"Project {number}"))
        found = each(projects_list.sync, lambda page: page.projects, client=api, limit=2, order_by="name")
        return [listed.project.name for listed in found]

    assert await asyncio.to_thread(names) == [f"Project {number}" for number in range(5)]


async def test_no_more_pages_are_read_than_are_asked_for(api: Budapp) -> None:
    def first() -> tuple[str, int]:
        for number in range(5):
            projects_create.sync(client=api, body=ProjectCreate(name=f"Project {number}"))
        calls: list[object] = []
        api.get_httpx_client().event_hooks = {"request": [calls.append]}
        found = each(projects_list.sync, lambda page: page.projects, client=api, limit=2, order_by="name")
        return next(found).project.name, len(calls)

    assert await asyncio.to_thread(first) == ("Project 0", 1)


async def test_nothing_is_skipped_while_others_delete(api: Budapp) -> None:
    def names() -> list[str]:
        for number in range(4):
            projects_create.sync(client=api, body=ProjectCreate(name=f"Project {number}"))
        found = []
        for listed in each(projects_list.sync, lambda page: page.projects, client=api, limit=1, order_by="name"):
            found.append(listed.project.name)
            projects_delete.sync_detailed(listed.project.id, client=api)
        return found

    assert await asyncio.to_thread(names) == [f"Project {number}" for number in range(4)]


async def test_an_empty_list_has_no_items(api: Budapp) -> None:
    def found() -> list[object]:
        return list(each(projects_list.sync, lambda page: page.projects, client=api))

    assert await asyncio.to_thread(found) == []
