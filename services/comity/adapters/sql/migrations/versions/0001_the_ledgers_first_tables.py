"""The ledger's first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agency",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("ori", sa.String(length=9), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("requester_class", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_agency")),
        sa.UniqueConstraint("ori", name=op.f("uq_agency_ori")),
    )
    with op.batch_alter_table("agency", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_agency_entered"), ["entered"], unique=False)

    op.create_table(
        "applied",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("topic_id", sa.String(), nullable=False),
        sa.Column("leaves", sa.BigInteger(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("newest", sa.LargeBinary(), nullable=False),
        sa.Column("led_from", sa.BigInteger(), nullable=True),
        sa.Column("led_to", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_applied")),
    )
    op.create_table(
        "blind_index",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("record_id", sa.String(length=32), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("kin", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_blind_index")),
        sa.UniqueConstraint("record_id", "target", name=op.f("uq_blind_index_record_id_target")),
    )
    with op.batch_alter_table("blind_index", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_blind_index_entered"), ["entered"], unique=False)
        batch_op.create_index(batch_op.f("ix_blind_index_target"), ["target"], unique=False)

    op.create_table(
        "certificate",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("certificate_id", sa.String(), nullable=False),
        sa.Column("party", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("said", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_certificate")),
        sa.UniqueConstraint("certificate_id", "kid", name=op.f("uq_certificate_certificate_id_kid")),
    )
    with op.batch_alter_table("certificate", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_certificate_entered"), ["entered"], unique=False)
        batch_op.create_index(batch_op.f("ix_certificate_party_order_id"), ["party", "order_id"], unique=False)

    op.create_table(
        "court",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("court_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_court")),
        sa.UniqueConstraint("court_id", name=op.f("uq_court_court_id")),
    )
    with op.batch_alter_table("court", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_court_entered"), ["entered"], unique=False)

    op.create_table(
        "exchange",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("exchange_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_exchange")),
        sa.UniqueConstraint("exchange_id", name=op.f("uq_exchange_exchange_id")),
    )
    with op.batch_alter_table("exchange", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_exchange_entered"), ["entered"], unique=False)

    op.create_table(
        "follower",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "stream", name=op.f("pk_follower")),
    )
    op.create_table(
        "index_key",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("check", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_index_key")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_index_key_name_version")),
    )
    with op.batch_alter_table("index_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_index_key_entered"), ["entered"], unique=False)

    op.create_table(
        "lift",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("lift_id", sa.String(), nullable=False),
        sa.Column("lifted_by", sa.String(), nullable=False),
        sa.Column("party", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("provisional_only", sa.Boolean(), nullable=False),
        sa.Column("authority", sa.String(), nullable=False),
        sa.Column("clerk", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_lift")),
        sa.UniqueConstraint("party", "order_id", "kid", name=op.f("uq_lift_party_order_id_kid")),
    )
    with op.batch_alter_table("lift", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lift_entered"), ["entered"], unique=False)

    op.create_table(
        "opened",
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_opened")),
    )
    op.create_table(
        "preview",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("preview_id", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("party", sa.String(), nullable=False),
        sa.Column("user", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_preview")),
        sa.UniqueConstraint("preview_id", "attempt", name=op.f("uq_preview_preview_id_attempt")),
    )
    with op.batch_alter_table("preview", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_preview_entered"), ["entered"], unique=False)

    op.create_table(
        "put_aside",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("signer", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("value_sha256", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_put_aside")),
        sa.UniqueConstraint("topic", "partition", "position", name=op.f("uq_put_aside_topic_partition_position")),
    )
    with op.batch_alter_table("put_aside", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_put_aside_signer"), ["signer"], unique=False)

    op.create_table(
        "record",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("record_id", sa.String(length=32), nullable=False),
        sa.Column("owner", sa.String(length=9), nullable=False),
        sa.Column("record_class", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("enrolment_sha256", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_record")),
        sa.UniqueConstraint("record_id", "version", "kid", name=op.f("uq_record_record_id_version_kid")),
    )
    with op.batch_alter_table("record", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_record_entered"), ["entered"], unique=False)

    op.create_table(
        "refused",
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("signer", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("value_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_refused")),
    )
    with op.batch_alter_table("refused", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_refused_again_position"), ["again", "position"], unique=False)
        batch_op.create_index(batch_op.f("ix_refused_signer_again_position"), ["signer", "again", "position"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_refused_value_sha256_signer_position"), ["value_sha256", "signer", "position"], unique=False
        )

    op.create_table(
        "rejected",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("record_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=9), nullable=False),
        sa.Column("photo", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("advice", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_rejected")),
        sa.UniqueConstraint("record_id", "version", "owner", name=op.f("uq_rejected_record_id_version_owner")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("rejected", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rejected_owner"), ["owner"], unique=False)

    op.create_table(
        "reveal",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("reveal_id", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("search_id", sa.String(), nullable=False),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_reveal")),
        sa.UniqueConstraint("reveal_id", "attempt", name=op.f("uq_reveal_reveal_id_attempt")),
    )
    with op.batch_alter_table("reveal", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_reveal_entered"), ["entered"], unique=False)
        batch_op.create_index(batch_op.f("ix_reveal_search_id"), ["search_id"], unique=False)

    op.create_table(
        "review",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("review_id", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("search_id", sa.String(), nullable=False),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_review")),
        sa.UniqueConstraint("review_id", "attempt", name=op.f("uq_review_review_id_attempt")),
    )
    with op.batch_alter_table("review", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_review_entered"), ["entered"], unique=False)
        batch_op.create_index(batch_op.f("ix_review_search_id"), ["search_id"], unique=False)

    op.create_table(
        "revocation",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("void_from", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_revocation")),
        sa.UniqueConstraint("key_id", "entered", name=op.f("uq_revocation_key_id_entered")),
    )
    with op.batch_alter_table("revocation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_revocation_entered"), ["entered"], unique=False)

    op.create_table(
        "ruling",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("voids", sa.Boolean(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_ruling")),
        sa.UniqueConstraint("entered", name=op.f("uq_ruling_entered")),
    )
    with op.batch_alter_table("ruling", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ruling_entered"), ["entered"], unique=False)

    op.create_table(
        "search",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("search_id", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("requester", sa.String(), nullable=False),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("shown_max", sa.Integer(), nullable=False),
        sa.Column("reopens", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_search")),
        sa.UniqueConstraint("search_id", "attempt", name=op.f("uq_search_search_id_attempt")),
    )
    with op.batch_alter_table("search", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_search_entered"), ["entered"], unique=False)

    op.create_table(
        "seen",
        sa.Column("signer", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("value_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("signer", "event_id", name=op.f("pk_seen")),
    )
    with op.batch_alter_table("seen", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_seen_value_sha256_signer_position"), ["value_sha256", "signer", "position"], unique=False
        )

    op.create_table(
        "share_grant",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("grant_id", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("grantee", sa.String(), nullable=False),
        sa.Column("classes", sa.String(), nullable=False),
        sa.Column("purposes", sa.String(), nullable=False),
        sa.Column("rights", sa.String(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("in_return", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_share_grant")),
        sa.UniqueConstraint("owner", "grant_id", name=op.f("uq_share_grant_owner_grant_id")),
    )
    with op.batch_alter_table("share_grant", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_share_grant_entered"), ["entered"], unique=False)
        batch_op.create_index(batch_op.f("ix_share_grant_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_share_grant_grantee"), ["grantee"], unique=False)

    op.create_table(
        "signing_key",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("party", sa.String(), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_signing_key")),
        sa.UniqueConstraint("key_id", name=op.f("uq_signing_key_key_id")),
    )
    with op.batch_alter_table("signing_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_signing_key_entered"), ["entered"], unique=False)

    op.create_table(
        "suppression",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("owner_only", sa.String(), nullable=True),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("statute", sa.String(), nullable=False),
        sa.Column("entered_by", sa.String(), nullable=False),
        sa.Column("lapses_at", sa.BigInteger(), nullable=True),
        sa.Column("clerk", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_suppression")),
        sa.UniqueConstraint("entered_by", "order_id", "target", name=op.f("uq_suppression_entered_by_order_id_target")),
    )
    with op.batch_alter_table("suppression", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_suppression_entered"), ["entered"], unique=False)
        batch_op.create_index(batch_op.f("ix_suppression_entered_by_entered"), ["entered_by", "entered"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_suppression_lapses_at"),
            ["lapses_at"],
            unique=False,
            sqlite_where=sa.text("lapses_at IS NOT NULL"),
            postgresql_where=sa.text("lapses_at IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("ix_suppression_target"), ["target"], unique=False)

    op.create_table(
        "tick",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.Column("tick", sa.Boolean(), nullable=False),
        sa.Column("led_from", sa.BigInteger(), nullable=True),
        sa.Column("led_to", sa.BigInteger(), nullable=True),
        sa.Column("latest", sa.BigInteger(), nullable=True),
        sa.Column("settled", sa.BigInteger(), nullable=True),
        sa.Column("reached", sa.BigInteger(), nullable=True),
        sa.Column("alarm", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_tick")),
        sa.UniqueConstraint("entered", name=op.f("uq_tick_entered")),
    )
    with op.batch_alter_table("tick", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tick_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_tick_entered"), ["entered"], unique=False)

    op.create_table(
        "withheld",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("search_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_withheld")),
        sa.UniqueConstraint("search_id", name=op.f("uq_withheld_search_id")),
    )
    with op.batch_alter_table("withheld", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_withheld_entered"), ["entered"], unique=False)

    # ### end Alembic commands ###


def downgrade() -> None:
    with op.batch_alter_table("withheld", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_withheld_entered"))

    op.drop_table("withheld")
    with op.batch_alter_table("tick", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tick_entered"))
        batch_op.drop_index(batch_op.f("ix_tick_at"))

    op.drop_table("tick")
    with op.batch_alter_table("suppression", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_suppression_target"))
        batch_op.drop_index(
            batch_op.f("ix_suppression_lapses_at"),
            sqlite_where=sa.text("lapses_at IS NOT NULL"),
            postgresql_where=sa.text("lapses_at IS NOT NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_suppression_entered_by_entered"))
        batch_op.drop_index(batch_op.f("ix_suppression_entered"))

    op.drop_table("suppression")
    with op.batch_alter_table("signing_key", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_signing_key_entered"))

    op.drop_table("signing_key")
    with op.batch_alter_table("share_grant", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_share_grant_grantee"))
        batch_op.drop_index(batch_op.f("ix_share_grant_expires_at"))
        batch_op.drop_index(batch_op.f("ix_share_grant_entered"))

    op.drop_table("share_grant")
    with op.batch_alter_table("seen", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_seen_value_sha256_signer_position"))

    op.drop_table("seen")
    with op.batch_alter_table("search", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_search_entered"))

    op.drop_table("search")
    with op.batch_alter_table("ruling", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ruling_entered"))

    op.drop_table("ruling")
    with op.batch_alter_table("revocation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_revocation_entered"))

    op.drop_table("revocation")
    with op.batch_alter_table("review", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_review_search_id"))
        batch_op.drop_index(batch_op.f("ix_review_entered"))

    op.drop_table("review")
    with op.batch_alter_table("reveal", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_reveal_search_id"))
        batch_op.drop_index(batch_op.f("ix_reveal_entered"))

    op.drop_table("reveal")
    with op.batch_alter_table("rejected", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rejected_owner"))

    op.drop_table("rejected")
    with op.batch_alter_table("refused", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_refused_value_sha256_signer_position"))
        batch_op.drop_index(batch_op.f("ix_refused_signer_again_position"))
        batch_op.drop_index(batch_op.f("ix_refused_again_position"))

    op.drop_table("refused")
    with op.batch_alter_table("record", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_record_entered"))

    op.drop_table("record")
    with op.batch_alter_table("put_aside", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_put_aside_signer"))

    op.drop_table("put_aside")
    with op.batch_alter_table("preview", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_preview_entered"))

    op.drop_table("preview")
    op.drop_table("opened")
    with op.batch_alter_table("lift", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_lift_entered"))

    op.drop_table("lift")
    with op.batch_alter_table("index_key", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_index_key_entered"))

    op.drop_table("index_key")
    op.drop_table("follower")
    with op.batch_alter_table("exchange", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_exchange_entered"))

    op.drop_table("exchange")
    with op.batch_alter_table("court", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_court_entered"))

    op.drop_table("court")
    with op.batch_alter_table("certificate", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_certificate_party_order_id"))
        batch_op.drop_index(batch_op.f("ix_certificate_entered"))

    op.drop_table("certificate")
    with op.batch_alter_table("blind_index", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_blind_index_target"))
        batch_op.drop_index(batch_op.f("ix_blind_index_entered"))

    op.drop_table("blind_index")
    op.drop_table("applied")
    with op.batch_alter_table("agency", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_agency_entered"))

    op.drop_table("agency")
    # ### end Alembic commands ###
