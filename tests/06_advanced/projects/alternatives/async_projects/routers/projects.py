"""Projects without a service, in async routes on an AsyncSession; a write to the project is the lock."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from database import AsyncSessionLocal
from models import Project, ProjectMember, Role, User
from schemas import (
    InviteCreate,
    MemberOut,
    MemberUpdate,
    PageQuery,
    ProjectCreate,
    ProjectOut,
    ProjectWithMembers,
    RowId,
)
from security import CurrentUser

router = APIRouter(prefix="/projects")


async def get_session() -> AsyncIterator[AsyncSession]:
    async with AsyncSessionLocal() as session, session.begin():
        yield session


Db = Annotated[AsyncSession, Depends(get_session, scope="function")]


async def role_of(db, project_id, user_id):
    found = select(ProjectMember.role).where(
        ProjectMember.project_id == project_id, ProjectMember.user_id == user_id
    )
    return await db.scalar(found)


async def show(db: AsyncSession, project_id: int) -> ProjectWithMembers:
    project = await db.get_one(Project, project_id)
    members = await db.scalars(
        select(ProjectMember).where(ProjectMember.project_id == project_id).order_by(ProjectMember.id)
    )
    return ProjectWithMembers(
        id=project.id,
        name=project.name,
        owner_id=project.owner_id,
        members=[MemberOut.model_validate(member) for member in members],
    )


async def lock(db, project_id):
    await db.execute(update(Project).where(Project.id == project_id).values(name=Project.name))


async def require_owner(db, project_id, caller):
    role = await role_of(db, project_id, caller.id)
    if role is None:
        raise HTTPException(404, "no such project")
    if role != "owner":
        raise HTTPException(403, "only owners")


async def keep_owner(db, project_id):
    owners = (
        await db.scalars(
            select(ProjectMember.user_id)
            .where(ProjectMember.project_id == project_id, ProjectMember.role == "owner")
            .order_by(ProjectMember.id)
        )
    ).all()
    if not owners:
        raise HTTPException(409, "the last owner stays")
    founder = await db.scalar(select(Project.owner_id).where(Project.id == project_id))
    if founder not in owners:
        await db.execute(update(Project).where(Project.id == project_id).values(owner_id=owners[0]))


@router.post("", status_code=201)
async def create(body: ProjectCreate, caller: CurrentUser, db: Db) -> ProjectWithMembers:
    added = insert(Project).values(name=body.name, owner_id=caller.id).returning(Project.id)
    project_id = (await db.scalars(added)).one()
    await db.execute(
        insert(ProjectMember).values(project_id=project_id, user_id=caller.id, role=Role.OWNER.value)
    )
    return await show(db, project_id)


@router.get("")
async def mine(page: PageQuery, caller: CurrentUser, db: Db) -> list[ProjectOut]:
    member_of = select(ProjectMember.project_id).where(ProjectMember.user_id == caller.id)
    found = select(Project).where(Project.id.in_(member_of)).order_by(Project.id)
    return [ProjectOut.model_validate(p) for p in await db.scalars(found.offset(page.skip).limit(page.limit))]


@router.get("/{project_id}")
async def one(project_id: RowId, caller: CurrentUser, db: Db) -> ProjectWithMembers:
    if await role_of(db, project_id, caller.id) is None:
        raise HTTPException(404, "no such project")
    return await show(db, project_id)


@router.post("/{project_id}/invite")
async def invite(project_id: RowId, body: InviteCreate, caller: CurrentUser, db: Db) -> dict[str, str]:
    await require_owner(db, project_id, caller)
    user_id = await db.scalar(
        select(User.id).where(func.lower(User.email) == body.email.lower(), User.deleted_at.is_(None))
    )
    if user_id is None:
        raise HTTPException(404, "no such user")
    try:
        await db.execute(
            insert(ProjectMember).values(project_id=project_id, user_id=user_id, role=body.role.value)
        )
    except IntegrityError:
        raise HTTPException(409, "a member already") from None
    name = await db.scalar(select(Project.name).where(Project.id == project_id))
    return {"message": f"Invited {body.email} to {name}"}


@router.patch("/{project_id}/members/{user_id}")
async def change(
    project_id: RowId, user_id: RowId, body: MemberUpdate, caller: CurrentUser, db: Db
) -> MemberOut:
    await lock(db, project_id)
    await require_owner(db, project_id, caller)
    member = await db.scalar(
        select(ProjectMember).where(ProjectMember.project_id == project_id, ProjectMember.user_id == user_id)
    )
    if member is None:
        raise HTTPException(404, "no such member")
    member.role = body.role.value
    await db.flush()
    await keep_owner(db, project_id)
    return MemberOut.model_validate(member)


@router.delete("/{project_id}/members/{user_id}", status_code=204)
async def remove(project_id: RowId, user_id: RowId, caller: CurrentUser, db: Db) -> None:
    await lock(db, project_id)
    role = await role_of(db, project_id, caller.id)
    if role is None:
        raise HTTPException(404, "no such project")
    if role != "owner" and caller.id != user_id:
        raise HTTPException(403, "only owners")
    gone = await db.execute(
        delete(ProjectMember)
        .where(ProjectMember.project_id == project_id, ProjectMember.user_id == user_id)
        .returning(ProjectMember.id)
    )
    if gone.first() is None:
        raise HTTPException(404, "no such member")
    await keep_owner(db, project_id)
