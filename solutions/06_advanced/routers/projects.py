"""Projects and their members."""

from collections.abc import Sequence

from fastapi import status

from errors import Conflict, NotAllowed, NotFound, NotLoggedIn, problems

# region step 6.22: the models
from models import Project, ProjectMember

# endregion
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

# region step 6.22: who is asking, and who does the work
from security import CurrentUser
from services.projects import ProjectServiceDep

# endregion

router = Router(prefix="/projects", tags=["projects"])


# region step 6.22: a project is seen by its members only
# starter: # TODO 6.22: POST /projects, GET /projects and GET /projects/{project_id}.
# starter: # TODO 6.23: POST /projects/{project_id}/invite.
# starter: # TODO 6.24: PATCH and DELETE /projects/{project_id}/members/{user_id}.
@router.post(
    "",
    response_model=ProjectWithMembers,
    status_code=status.HTTP_201_CREATED,
    responses=problems(NotLoggedIn),
)
def create_project(data: ProjectCreate, caller: CurrentUser, projects: ProjectServiceDep) -> Project:
    return projects.create(caller, data)


@router.get("", response_model=list[ProjectOut], responses=problems(NotLoggedIn))
def read_projects(page: PageQuery, caller: CurrentUser, projects: ProjectServiceDep) -> Sequence[Project]:
    return projects.get_page(caller, page)


@router.get("/{project_id}", response_model=ProjectWithMembers, responses=problems(NotLoggedIn, NotFound))
def read_project(project_id: RowId, caller: CurrentUser, projects: ProjectServiceDep) -> Project:
    return projects.get(caller, project_id)


# region step 6.23: the answer is the course's
# starter: # TODO 6.23: POST /projects/{project_id}/invite.
@router.post("/{project_id}/invite", responses=problems(NotLoggedIn, NotAllowed, NotFound, Conflict))
def invite(
    project_id: RowId, data: InviteCreate, caller: CurrentUser, projects: ProjectServiceDep
) -> Message:
    project = projects.invite(caller, project_id, data)
    return Message(message=f"Invited {data.email} to {project.name}")


# endregion
# region step 6.24: by owners, or by oneself
# starter: # TODO 6.24: PATCH and DELETE /projects/{project_id}/members/{user_id}.
@router.patch(
    "/{project_id}/members/{user_id}",
    response_model=MemberOut,
    responses=problems(NotLoggedIn, NotAllowed, NotFound, Conflict),
)
def change_role(
    project_id: RowId, user_id: RowId, data: MemberUpdate, caller: CurrentUser, projects: ProjectServiceDep
) -> ProjectMember:
    return projects.change_role(caller, project_id, user_id, data.role)


@router.delete(
    "/{project_id}/members/{user_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(NotLoggedIn, NotAllowed, NotFound, Conflict),
)
def remove_member(
    project_id: RowId, user_id: RowId, caller: CurrentUser, projects: ProjectServiceDep
) -> None:
    projects.remove(caller, project_id, user_id)


# endregion
# endregion
