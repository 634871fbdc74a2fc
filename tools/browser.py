"""Find a Chromium for the browser tests, or install one; say which other engines are there to test with.

In this order: the program that the variable NTK_BROWSER names; a Chromium or Chrome on the machine; one installed by
apt-get where that is allowed; one that Playwright downloads. Where none of them works it stops and says what to
install. Firefox and WebKit are only looked for.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def works(program: str) -> bool:
    """Whether the program starts; some systems ship a stub of that name that only advertises a store."""
    try:
        run = subprocess.run([program, "--version"], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return run.returncode == 0


def on_machine() -> str | None:
    named = os.environ.get("NTK_BROWSER")
    if named:
        if not works(named):
            sys.exit(f"NTK_BROWSER names {named!r}, which does not start.")
        return named
    found = (shutil.which(name) for name in NAMES)
    return next((program for program in found if program and works(program)), None)


def of_playwright() -> str | None:
    """The browser that Playwright downloaded earlier."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        program = playwright.chromium.executable_path
    return program if works(program) else None


def find() -> str | None:
    return on_machine() or of_playwright()


def firefox() -> str | None:
    return shutil.which("firefox-esr") or shutil.which("firefox")


def webkit() -> str | None:
    """The small browser that comes with WebKitGTK's driver, which needs a screen that is made for it."""
    browsers = sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))
    ready = browsers and shutil.which("WebKitWebDriver") and shutil.which("Xvfb")
    return str(browsers[-1]) if ready else None


def install() -> None:
    if shutil.which("apt-get") and os.geteuid() == 0:
        print("== installing Chromium with apt-get", flush=True)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-q"], env=environment)
        subprocess.run(["apt-get", "install", "-q", "-y", "chromium"], env=environment)
        if on_machine():
            return
    print("== installing Chromium with Playwright", flush=True)
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"])


def main() -> None:
    if not find():
        install()
    program = find()
    if not program:
        sys.exit(
            "No browser was found and none could be installed. Install Chromium or Chrome with your system's package\n"
            "manager (Debian, Ubuntu: apt-get install chromium), or set NTK_BROWSER to the program's path."
        )
    print(f"Chromium: {program}")
    print(f"Firefox: {firefox() or 'not found, its tests are left out (Debian: apt-get install firefox-esr)'}")
    print(f"WebKit: {webkit() or 'not found, its tests are left out (Debian: apt-get install webkit2gtk-driver xvfb)'}")


if __name__ == "__main__":
    main()
