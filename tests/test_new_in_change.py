"""The tests that a change brings are found in its difference."""

from tests.new_in_change import MOST, new_tests, sample

DIFFERENCE = """\
diff --git a/tests/users/test_users.py b/tests/users/test_users.py
--- a/tests/users/test_users.py
+++ b/tests/users/test_users.py
@@ -1,0 +2,3 @@
+async def test_one(client: httpx.AsyncClient) -> None:
+    def test_inside() -> None: ...
+def helper() -> None: ...
@@ -9 +12 @@
-def test_old(cast: Cast) -> None:
+def test_two(cast: Cast) -> None:
--- a/tests/cast.py
+++ b/tests/cast.py
+def test_in_no_file_of_tests() -> None:
--- a/tests/test_routes.py
+++ b/tests/test_routes.py
+def test_three(
"""


def test_what_begins_on_a_new_line_in_a_file_of_tests_is_new() -> None:
    names = [
        "tests/users/test_users.py::test_one",
        "tests/users/test_users.py::test_two",
        "tests/test_routes.py::test_three",
    ]
    assert list(new_tests(DIFFERENCE)) == names


def test_of_many_new_tests_some_from_all_over_are_tried() -> None:
    many = [f"test_{number}" for number in range(100)]
    assert sample(many) == many[::9]
    assert sample(many[:MOST]) == many[:MOST]
