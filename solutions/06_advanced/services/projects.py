# region step 6.22: whoever begins a project is its first member
"""Projects: their owners invite members, and give them roles."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends

# region step 6.24: a change that changes nothing takes a lock
# starter: from sqlalchemy import select
from sqlalchemy import select, update

# endregion
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from database import SessionDep
from errors import Conflict, NotAllowed, NotFound
from models import Project, ProjectMember, Role, User
from schemas import InviteCreate, Page, ProjectCreate


class ProjectService:
    def __init__(self, session: Session) -> None:
        self.session = session

    def create(self, owner: User, data: ProjectCreate) -> Project:
        """A new project, whose owner is a member from the beginning."""
        member = ProjectMember(user_id=owner.id, role=Role.OWNER)
        project = Project(name=data.name, owner_id=owner.id, members=[member])
        self.session.add(project)
        self.session.flush()
        return project

    def get_page(self, caller: User, page: Page) -> Sequence[Project]:
        """The projects that the caller belongs to, in the order of their ids."""
        found = select(Project).join(Project.members).where(ProjectMember.user_id == caller.id)
        return self.session.scalars(found.order_by(Project.id).offset(page.skip).limit(page.limit)).all()

    def get(self, caller: User, project_id: int) -> Project:
        """A project with its members. For everyone else it isn't there: NotFound."""
        project = self.session.get(Project, project_id, options=[selectinload(Project.members)])
        if project is None or caller.id not in {member.user_id for member in project.members}:
            raise NotFound("Project not found")
        return project

    # region step 6.23: the database decides who comes first
    # starter: # TODO 6.23: invite.
    def invite(self, caller: User, project_id: int, data: InviteCreate) -> Project:
        """Make the user with this email a member; only owners may do so."""
        project = self._get_as_owner(caller, project_id)
        user_id = self.session.scalar(select(User.id).where(User.email == data.email, User.is_live))
        if user_id is None:
            raise NotFound("User not found")
        self.session.add(ProjectMember(project_id=project.id, user_id=user_id, role=data.role))
        try:
            self.session.flush()
        except IntegrityError as error:
            raise Conflict("Already a member") from error
        return project

    def _get_as_owner(self, caller: User, project_id: int) -> Project:
        """The project with its members, if the caller is an owner; NotFound or NotAllowed if not."""
        # region step 6.24: who is an owner now is still one when this request is done
        # starter: # TODO 6.24: one change of the owners at a time.
        self._lock(project_id)
        # endregion
        project = self.get(caller, project_id)
        if caller.id not in owners_of(project):
            raise NotAllowed("Only an owner of the project may do this")
        return project

    # endregion
    # region step 6.24: a project always has an owner
    # starter: # TODO 6.24: change_role and remove.
    def change_role(self, caller: User, project_id: int, user_id: int, role: Role) -> ProjectMember:
        """Give a member another role; Conflict if nobody would be left who owns the project."""
        project = self._get_as_owner(caller, project_id)
        member = member_of(project, user_id)
        member.role = role
        keep_an_owner(project)
        self.session.flush()
        return member

    def remove(self, caller: User, project_id: int, user_id: int) -> None:
        """Remove a member. Owners may remove anyone, and everyone may leave; but the last owner stays."""
        self._lock(project_id)
        project = self.get(caller, project_id)
        if caller.id not in {*owners_of(project), user_id}:
            raise NotAllowed("Only an owner of the project may do this")
        project.members.remove(member_of(project, user_id))
        keep_an_owner(project)
        self.session.flush()

    def _lock(self, project_id: int) -> None:
        """Let no other request change the members of a project until this transaction ends.

        FOR UPDATE would be enough on PostgreSQL. SQLite doesn't know it, but a write locks on both.
        """
        self.session.execute(update(Project).where(Project.id == project_id).values(name=Project.name))

    # endregion


# region step 6.23: the role tells, and more than one member may have it
# starter: # TODO 6.23: owners_of.
def owners_of(project: Project) -> list[int]:
    """The ids of the members who own the project, those who joined first at the front."""
    return [member.user_id for member in project.members if member.role == Role.OWNER]


# endregion
# region step 6.24: what must be true after every change
# starter: # TODO 6.24: keep_an_owner.
def keep_an_owner(project: Project) -> None:
    """Raise Conflict unless somebody owns the project, and let owner_id name one who does."""
    owners = owners_of(project)
    if not owners:
        raise Conflict("A project needs an owner")
    if project.owner_id not in owners:
        project.owner_id = owners[0]


def member_of(project: Project, user_id: int) -> ProjectMember:
    """That member of the project, or NotFound."""
    for member in project.members:
        if member.user_id == user_id:
            return member
    raise NotFound("Member not found")


# endregion
def get_project_service(session: SessionDep) -> ProjectService:
    return ProjectService(session)


ProjectServiceDep = Annotated[ProjectService, Depends(get_project_service)]
# endregion
