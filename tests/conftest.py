"""Makes the helpers beside it (`oracle`, `strategies`) importable from every folder of tests."""


def pytest_addoption(parser):
    parser.addoption(
        "--update-golden", action="store_true", help="write the messages of tests/golden anew, to be read and committed"
    )
