"""Who is asking, and what they may do: HTTP Basic against the stored hashes."""

from functools import cache
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from pwdlib import PasswordHash
from sqlalchemy import select

from database import SessionLocal
from errors import NotAllowed, NotLoggedIn
from models import User

password_hasher = PasswordHash.recommended()
# TODO 6.1: CurrentUser, a dependency: the User who sent the request, or NotLoggedIn.
# TODO 6.2: Staff, another one: the same User, but NotAllowed unless they belong to the staff.
# TODO 6.5: who isn't active can't log in.
# TODO 6.9: who was deleted can't log in.
