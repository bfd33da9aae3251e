"""Projects and their members."""

from collections.abc import Sequence

from fastapi import status

from errors import Conflict, NotAllowed, NotFound, NotLoggedIn, problems

from routers import Router
from schemas import (
    InviteCreate,
    MemberOut,
    MemberUpdate,
    Message,
    PageQuery,
    ProjectCreate,
    ProjectOut,
    ProjectWithMembers,
    RowId,
)


router = Router(prefix="/projects", tags=["projects"])


# TODO 6.22: POST /projects, GET /projects and GET /projects/{project_id}.
# TODO 6.23: POST /projects/{project_id}/invite.
# TODO 6.24: PATCH and DELETE /projects/{project_id}/members/{user_id}.
