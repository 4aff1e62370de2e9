# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The files that are installed beside the code: launch files, parameters, the DDS profile."""

import os
import sys
from pathlib import Path

PACKAGE = 'livevlm_ros'
PROFILE_VARIABLE = 'FASTDDS_DEFAULT_PROFILES_FILE'


def share_file(path: str, package: str = PACKAGE) -> Path:
    """
    Find a file that a package installs under share.

    :param path: relative to the package, such as 'config/livevlm.yaml'
    :param package: this one, or `livevlm_interfaces`
    :returns: the file of the checkout that is running, or else of the first ROS prefix that has it
    :raises FileNotFoundError: naming every place that was looked at
    """
    checkout = Path(__file__).resolve().parent.parent
    prefixes = [Path(p) for p in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if p]
    places = [prefix / 'share' / package for prefix in (*prefixes, Path(sys.prefix))]
    if package == PACKAGE and (checkout / 'package.xml').is_file():
        places.insert(0, checkout)
    for place in places:
        if (place / path).is_file():
            return place / path
    looked = ', '.join(map(str, places))
    raise FileNotFoundError(f'{path} of {package} is in none of: {looked}. Install the package.')


def use_dds_profile() -> None:
    """Choose our Fast DDS profile for this process and its children, unless the user chose one."""
    if PROFILE_VARIABLE not in os.environ:
        os.environ[PROFILE_VARIABLE] = str(share_file('config/fastdds.xml'))
