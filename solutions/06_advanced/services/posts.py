# region step 6.12: a post and its tags are stored together
"""Posts: written by their owners, found by their tags, read by everyone."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, contains_eager, selectinload

# region step 6.17: some answers are kept for a while
import cache

# endregion
from database import SessionDep
from errors import NotAllowed, NotFound

# region step 6.14: and the comments
# starter: from models import Post, Tag, User
from models import Comment, Post, Tag, User

# endregion
from schemas import CommentCreate, Page, PostCreate, PostUpdate


class PostService:
    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, post_id: int) -> Post:
        """The post as it is shown, or NotFound."""
        return self._one(posts_to_show().where(Post.id == post_id))

    def get_page(self, page: Page, tag: str | None = None) -> Sequence[Post]:
        """Posts in the order of their ids; those with a tag, if one is named."""
        found = posts_to_show().order_by(Post.id).offset(page.skip).limit(page.limit)
        if tag is not None:
            found = found.where(Post.tags.any(Tag.name == tag))
        return self.session.scalars(found).all()

    def create(self, owner: User, data: PostCreate) -> Post:
        post = Post(title=data.title, content=data.content, owner_id=owner.id, tags=self._tags(data.tag_ids))
        self.session.add(post)
        self.session.flush()
        return self.get(post.id)

    # region step 6.13: nobody changes it meanwhile, for the row is locked
    # starter: # TODO 6.13: change, publish and delete.
    def change(self, caller: User, post_id: int, data: PostUpdate) -> Post:
        """Change the fields that were sent, and no others."""
        post = self._get_own(caller, post_id)
        for name in {"title", "content"} & data.model_fields_set:
            setattr(post, name, getattr(data, name))
        if "tag_ids" in data.model_fields_set:
            post.tags = self._tags(data.tag_ids)
        post.updated_at = func.now()  # also where nothing but the tags changed, which aren't in this row
        self.session.flush()
        return post

    def publish(self, caller: User, post_id: int) -> Post:
        post = self._get_own(caller, post_id)
        post.is_published = True
        self.session.flush()
        # region step 6.17: the ranking counts published posts
        # starter: # TODO 6.17: the ranking isn't true any more.
        cache.forget_after_commit(self.session, cache.TOP_AUTHORS)
        # endregion
        return post

    def delete(self, caller: User, post_id: int) -> None:
        self.session.delete(self._get_own(caller, post_id))
        # region step 6.17: the ranking counts published posts
        # starter: # TODO 6.17: the ranking isn't true any more.
        cache.forget_after_commit(self.session, cache.TOP_AUTHORS)
        # endregion

    def _get_own(self, caller: User, post_id: int) -> Post:
        """The post, locked for a change; NotFound, or NotAllowed if it is somebody else's."""
        post = self._one(posts_to_show().where(Post.id == post_id).with_for_update(of=Post))
        if post.owner_id != caller.id and not caller.is_staff:
            raise NotAllowed("Only its owner may change a post")
        return post

    # endregion
    # region step 6.14: posts and comments in a constant number of statements
    # starter: # TODO 6.14: comments, and posts with their comments.
    def comment(self, author: User, post_id: int, data: CommentCreate) -> Comment:
        """Add a comment to a post."""
        comment = Comment(content=data.content, post_id=self.get(post_id).id, author_id=author.id)
        self.session.add(comment)
        self.session.flush()
        return comment

    def get_page_with_comments(self, page: Page) -> Sequence[Post]:
        """Posts in the order of their ids, each with all its comments."""
        found = posts_to_show().options(selectinload(Post.comments)).order_by(Post.id)
        return self.session.scalars(found.offset(page.skip).limit(page.limit)).all()

    # endregion
    # region step 6.15: newest first, and only what is published
    # starter: # TODO 6.15: the feed.
    # region step 6.16: an index leads to the beginning of a page at once, however deep it is
    # starter: def get_feed(self, limit: int, owner_id: int | None = None) -> Sequence[Post]:
    # starter:     """Published posts, the newest first: of one owner if asked for."""
    # starter:     found = posts_of_the_live().where(Post.is_published)
    # starter:     if owner_id is not None:
    # starter:         found = found.where(Post.owner_id == owner_id)
    # starter:     # TODO 6.16: only those before a post.
    # starter:     return self.session.scalars(found.order_by(Post.id.desc()).limit(limit)).all()
    # starter:
    def get_feed(self, limit: int, owner_id: int | None = None, before: int | None = None) -> Sequence[Post]:
        """Published posts, the newest first: of one owner if asked for, older than `before` if given."""
        found = posts_of_the_live().where(Post.is_published)
        if owner_id is not None:
            found = found.where(Post.owner_id == owner_id)
        if before is not None:
            found = found.where(Post.id < before)
        return self.session.scalars(found.order_by(Post.id.desc()).limit(limit)).all()

    # endregion
    # endregion
    # region step 6.27: what was typed is text, whatever it contains
    # starter: # TODO 6.27: search.
    def search(self, words: str, page: Page) -> Sequence[Post]:
        """Posts that contain the words in title or content, in capitals or not."""
        wanted = or_(*(column.icontains(words, autoescape=True) for column in (Post.title, Post.content)))
        found = posts_to_show().where(wanted).order_by(Post.id)
        return self.session.scalars(found.offset(page.skip).limit(page.limit)).all()

    # endregion
    def _one(self, found: Select[Post]) -> Post:
        post = self.session.scalar(found)
        if post is None:
            raise NotFound("Post not found")
        return post

    def _tags(self, ids: Iterable[int]) -> list[Tag]:
        """The tags with these ids, each once; NotFound unless all are there."""
        asked = set(ids)
        found = self.session.scalars(select(Tag).where(Tag.id.in_(asked)).order_by(Tag.id)).all()
        if len(found) < len(asked):
            raise NotFound("Some tags not found")
        return list(found)


def posts_of_the_live() -> Select[Post]:
    """Posts of owners who are there, each with its one owner: a JOIN."""
    return select(Post).join(Post.owner).where(User.is_live).options(contains_eager(Post.owner))


def posts_to_show() -> Select[Post]:
    """The same, each with its tags: one more SELECT for all of them."""
    return posts_of_the_live().options(selectinload(Post.tags))


# region step 6.17: computed once a minute at most, for whoever asks
# starter: # TODO 6.17: the authors with the most published posts, cached.
def get_top_authors(session: Session) -> list[dict[str, Any]]:
    """The ten authors with the most published posts: id, username and posts."""

    def ask() -> list[dict[str, Any]]:
        posts = func.count().label("posts")
        live = select(User.id, User.username, posts).join(User.posts).where(Post.is_published, User.is_live)
        best = live.group_by(User.id, User.username).order_by(posts.desc(), User.id).limit(10)
        return [dict(row) for row in session.execute(best).mappings()]

    return cache.get_or_ask(cache.TOP_AUTHORS, ask)


# endregion
def get_post_service(session: SessionDep) -> PostService:
    return PostService(session)


PostServiceDep = Annotated[PostService, Depends(get_post_service)]
# endregion
