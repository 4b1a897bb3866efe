"""NeMo Platform's server with the services that its files API needs, on the port it is told."""

import sys

from nmp.platform_runner.config import PlatformAppConfig
from nmp.platform_runner.run import run_platform

SERVICES = ["entities", "auth", "secrets", "files"]

if __name__ == "__main__":
    run_platform(PlatformAppConfig(services=SERVICES, host="127.0.0.1", port=int(sys.argv[1])))
