"""Builds an exchange: every adapter once, the acts on them, the duties and projections as threads. Tests build it the same way.

Started in this order, because each needs what stands before it: the home's lock, the log, the ledger's projection (waited for
until it has read the journal's end), the founding entries, the vault shredded again, the gallery, then whatever appends.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import structlog

from comity.acts.alarms import Alarms
from comity.acts.clock import TimeKeeping
from comity.acts.enrol import Enrol
from comity.acts.index_keys import IndexKeys
from comity.acts.indexes import Indexer
from comity.acts.journal import Journal
from comity.acts.opened import Opened
from comity.acts.order import Orders
from comity.acts.papers import Papers
from comity.acts.preview import Previews
from comity.acts.probes import Probes
from comity.acts.register import ADMINISTRATOR, EXCHANGE, Register, found
from comity.acts.release import Release
from comity.acts.review import Examine
from comity.acts.seal import Seal
from comity.acts.search import Search
from comity.acts.searches import Exposures, Searches, exposures
from comity.adapters.anchor import FileAnchor, default_folder
from comity.adapters.drawing import PillowDrawing
from comity.adapters.erasure_marks import erasure_marks
from comity.adapters.home import Home
from comity.adapters.identity import FileIdentity
from comity.adapters.key_vault import SqliteKeyVault, master_key, master_key_from
from comity.adapters.keyring import FolderKeyring
from comity.adapters.local_kafka import LocalKafka
from comity.adapters.log_choice import Choice, opened_log, remember, remembered
from comity.adapters.milvus_store import MilvusStore
from comity.adapters.onnx_faces import OnnxFaces
from comity.adapters.photo_store import FolderPhotoStore
from comity.adapters.requests import SqliteRequests
from comity.adapters.resident_scan import ResidentScan
from comity.adapters.sql.beside import LedgerBeside
from comity.adapters.sql.engine import open_engine
from comity.adapters.sql.ledger import SqlLedger
from comity.adapters.sql.positions import SqlPositions
from comity.adapters.sql.refusals import SqlRefusals
from comity.adapters.sql.rejections import SqlRejections
from comity.domain.ids import RecordId
from comity.domain.log import JOURNAL, Topic
from comity.duties import encoder, keeper, purge, quarantine
from comity.duties.anchor import AnchorDuty
from comity.duties.arrival import look_at_keys, look_at_people
from comity.duties.clock import Clock
from comity.duties.encoder import EncoderDuty
from comity.duties.keeper import Keeper
from comity.duties.probes import ProbeDuty
from comity.duties.purge import Purge, World
from comity.duties.quarantine import Quarantine, QuarantineDuty
from comity.errors import Halted, Unavailable
from comity.ports import FaceEncoder
from comity.projection import gallery
from comity.projection.ages import Ages
from comity.projection.fsck import Finding, Fsck
from comity.projection.gallery import GalleryProjection
from comity.projection.ledger import LedgerProjection
from comity.projection.overview import Overview
from comity.projection.projector import Follower, Follows
from comity.projection.rebuild import Rebuilds
from comity.projection.starts import Starts
from comity.projection.watch import PositionWatch
from comity.reads.journal import Entries
from comity.reads.orders import OrderBook
from comity.settings import Settings
from comity.telemetry import configure

logger = structlog.get_logger(__name__)

SWITCH_SECONDS = 0.0005  # threads share one interpreter: at the default of 5 ms a release waits for whoever computes
GALLERY_SECONDS = 30.0  # how long a start waits for the gallery; then answers may lack records, and an alarm says so
REPLAY_SECONDS = 600.0  # how long the journal's replay at start may take before it is given up
CLOSED = ("log", "store", "vault", "identity", "requests", "engine", "broker", "home")  # in this order
OUTSIDE = ("backups outside this home", "what left the exchange before: prints, screenshots, copies at other agencies")


def utc_now() -> datetime:
    """Return the time now."""
    return datetime.now(UTC)


class Exchange:
    """One running exchange on one home."""

    def __init__(
        self, settings: Settings, *, now: Callable[[], datetime] = utc_now, face_encoder: FaceEncoder | None = None
    ) -> None:
        configure()
        self.settings, self.now, self.alarms, self._known = settings, now, Alarms(now), False
        self.home = Home(settings.home)
        self.home.open()
        try:
            self._open_stores(face_encoder)
            self._wire_acts()
            self._wire_quarantine()
            self._wire_duties()
        except BaseException:
            self._close()
            raise

    def _open_stores(self, face_encoder: FaceEncoder | None) -> None:
        path, given = self.home.path, self.settings.master_key
        choice = remembered(path("log.json"), Choice(self.settings.kafka, self.settings.kafka_prefix))
        settings = self.settings = self.settings.model_copy(update={"kafka": choice.kafka, "kafka_prefix": choice.prefix})
        master = master_key_from(given.get_secret_value()) if given else master_key(path("master.key"), path("vault.db"))
        self.broker = LocalKafka(path("kafka"), cache=settings.cache) if settings.kafka == "local" else None
        self.log = opened_log(path("log.db"), choice.kafka, choice.prefix, self.broker, self.alarms)
        remember(path("log.json"), choice, started=False)
        self.engine = open_engine(path("ledger.db"))
        self.ledger, self.positions = SqlLedger(self.engine), SqlPositions(self.engine)
        self.rejections, self.refusals = SqlRejections(self.engine), SqlRefusals(self.engine)
        self.vault = SqliteKeyVault(path("vault.db"), master)
        self.photos = FolderPhotoStore(path("photos"))
        self.keyring = FolderKeyring(path("keys"))
        self.identity = FileIdentity(path("identity.db"))
        self.requests = SqliteRequests(path("requests.db"), self.vault)
        self.store = MilvusStore(path("gallery.db"))
        self.gallery = ResidentScan()
        self.encoder: FaceEncoder = face_encoder or OnnxFaces(cache=settings.cache)

    def _wire_acts(self) -> None:
        self.watch = PositionWatch()
        anchor = FileAnchor(self.settings.anchor or default_folder())
        self.anchoring = AnchorDuty(anchor, self.log, self.ledger, self.alarms, self.now)
        self.journal = Journal(self.log, self.keyring.issue(EXCHANGE), self.now)
        self.index_keys = IndexKeys(self.vault, self.journal, self.log, self.ledger, self.watch)
        self.indexer = Indexer(self.index_keys)
        self.clock = Clock(self.journal, self.ledger.ends, self.settings.tick_seconds)
        self.release = Release(self.journal, self.ledger, self.watch, self.clock.fresh)
        self.drawing = PillowDrawing()
        self.probes = Probes(self.vault, self.photos, self.indexer, self.ledger)
        self.opened = Opened(self.vault, self.photos, self.probes, self.drawing, self.alarms)
        self.searches = Searches(self.log, self.ledger, self.watch, self.vault)
        self.enrol = Enrol(self.journal, self.ledger, self.vault, self.indexer)
        self.orders = Orders(self.journal, self.ledger, self.watch, self.anchoring.acknowledge)
        self.register = Register(self.journal, self.ledger, self.watch, self.keyring.issue(ADMINISTRATOR))
        self.previews = Previews(journal=self.journal, ledger=self.ledger, vault=self.vault, release=self.release)
        self.papers = Papers(self.vault, self.photos)
        self.time_keeping = TimeKeeping(self.journal, self.ledger, self.watch, self.keyring.issue(ADMINISTRATOR))
        self.book = OrderBook(self.ledger, Entries(self.log))
        self.seal = Seal(previews=self.previews, papers=self.papers, indexer=self.indexer, orders=self.orders)
        self.search = Search(
            ledger=self.ledger,
            gallery=self.gallery,
            encoder=self.encoder,
            vault=self.vault,
            indexer=self.indexer,
            release=self.release,
            opened=self.opened,
            probes=self.probes,
            drawing=self.drawing,
            searches=self.searches,
            now=self.now,
        )
        self.examine = Examine(
            log=self.log,
            ledger=self.ledger,
            vault=self.vault,
            release=self.release,
            opened=self.opened,
            searches=self.searches,
        )

    def _wire_quarantine(self) -> None:
        self.quarantine = Quarantine(journal=self.journal, ledger=self.ledger, refusals=self.refusals)
        self.quarantining = QuarantineDuty(self.quarantine, self.watch, self.positions)
        self.keeper = Keeper(self.quarantine, self.vault, self.photos, self.positions, self.alarms)

    def _wire_duties(self) -> None:
        self.projection = LedgerProjection(self.log, self.ledger, self.watch)
        self.gallery_projection = GalleryProjection(
            self.log, self.ledger, self.vault, self.store, self.gallery, self.rejections, self.alarms
        )
        self.purge = self._wired_purge()
        self.encoding = EncoderDuty(
            keeper=self.keeper,
            journal=self.journal,
            quarantine=self.quarantine,
            ledger=self.ledger,
            watch=self.watch,
            vault=self.vault,
            photos=self.photos,
            indexer=self.indexer,
            encoder=self.encoder,
            positions=self.positions,
            rejections=self.rejections,
            gate=self.purge.gate,
            overtaken=self.purge.overtaken,
        )
        self.probe_duty = ProbeDuty(
            log=self.log,
            ledger=self.ledger,
            probes=self.probes,
            positions=self.positions,
            photos=self.photos,
            catch_up=self.searches.catch_up,
            keep=timedelta(days=self.settings.probe_days),
        )
        self.followers: dict[str, Follows] = {}
        self._wire_upkeep()

    def _wire_upkeep(self) -> None:
        self.overview = Overview(
            home=self.home.root,
            log=self.log,
            ledger=self.ledger,
            watch=self.watch,
            gallery=self.gallery,
            alarms=self.alarms,
            followers=self.followers,
        )
        self.ages = Ages(ledger=self.ledger, vault=self.vault, photos=self.photos, gallery=self.gallery, alarms=self.alarms)
        self.rebuilds = Rebuilds(
            log=self.log,
            watch=self.watch,
            ledger_view=self.ledger,
            vault=self.vault,
            photos=self.photos,
            store=self.store,
            scan=self.gallery,
            followers=self.followers,
            paused=self._paused,
            put_back=self.keeper.put_back_templates,
            beside=LedgerBeside(self.engine, self.home.path("ledger-anew.db")).building,
            keep=self.keeper.keep_lost,
        )

    def _wired_purge(self) -> Purge:
        return Purge(
            World(
                **{name: getattr(self, name) for name in World.NAMED_ALIKE},
                kept=FolderPhotoStore(self.home.path("erasures")),
                marks=erasure_marks(self.vault, *map(self.home.path, ("gallery.db", "photos", "erasures"))),
                home=self.home.root,
                elsewhere=OUTSIDE if self.broker or not self.settings.kafka else ("the Kafka brokers' files", *OUTSIDE),
                sweep_hour=self.settings.sweep_hour,
            )
        )

    # --- life ---

    def start(self) -> None:
        """Start everything; returns once searches can be answered."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self._catch_up_ledger()
        self.anchoring.check()
        look_at_keys(self.keyring, self.ledger, self.alarms)
        keys = self.keyring.issue(ADMINISTRATOR), self.keyring.issue(EXCHANGE)
        found(self.journal, self.ledger, self.watch, *keys, known=self._known or self.anchoring.starts > 0)
        remember(self.home.path("log.json"), Choice(self.settings.kafka, self.settings.kafka_prefix), started=True)
        self.index_keys.check()
        look_at_people(self.log, self.ledger, self.identity, self.anchoring.starts, self.alarms)
        self.anchoring.start()
        self.gallery_projection.load()
        self.purge.again()  # before anything can be asked
        self.clock.start()
        self._follow_gallery()
        self._follow(keeper.NAME, Topic.TEMPLATES, self.keeper.apply)
        self.encoding.read_again_where_void()
        self._follow(encoder.NAME, Topic.ENROLMENTS, self.encoding.apply)
        purging = Follower(purge.NAME, self.log, self.purge.duty.starts, self.purge.duty.apply)
        for follows in (purging, self.purge.certifier, self.purge.sweep):
            self._begin(follows)
        self._follow(quarantine.NAME, Topic.JOURNAL, self.quarantining.apply)
        self.probe_duty.start()
        self.ages.look(gallery_is_whole=self.overview.caught_up(gallery.NAME, GALLERY_SECONDS))

    def stop(self) -> None:
        """Stop everything and close every file; idempotent."""
        with ExitStack() as ending:  # the last named comes first, and none is left out because another failed
            ending.callback(self._close)
            followers = (follower.stop for follower in self.followers.values())
            for stop in (self.anchoring.stop, *followers, self.opened.close, self.probe_duty.stop, self.clock.stop):
                ending.callback(stop)
        self.followers.clear()

    def _close(self) -> None:
        """Close what was opened: a broker or a lock that is left behind would keep the next start out."""
        with ExitStack() as ending:
            for part in (getattr(self, name, None) for name in reversed(CLOSED)):
                if part is not None:
                    ending.callback(next(getattr(part, way) for way in ("close", "stop", "dispose") if hasattr(part, way)))

    def accept_loss(self, reason: str) -> None:
        """Go on with the journal as it is, though more was acknowledged: start with every view made anew, and enter that."""
        event = self.anchoring.accept(reason)
        self._known = True  # an administrator says so
        self.ledger.reset()
        self.positions.clear_all()
        self.store.clear()
        self.start()
        self.journal.enter(event, key=ADMINISTRATOR, signer=self.keyring.issue(ADMINISTRATOR))

    def __enter__(self) -> Self:
        """Start."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def _follow_ledger(self) -> None:
        starts, apply = self.projection.starts, self.projection.apply
        self._begin(Follower("ledger", self.log, starts, apply, self.watch.fail, urgent=True))

    def _follow_gallery(self) -> None:
        self._begin(Follower(gallery.NAME, self.log, self.gallery_projection.starts, self.gallery_projection.apply))

    @contextmanager
    def _paused(self, name: str) -> Iterator[None]:
        """Stop the ledger's or the gallery's follower for as long as the block lasts."""
        self.followers[name].stop()
        try:
            yield
        finally:
            self._follow_ledger() if name == "ledger" else self._follow_gallery()

    def _follow(self, name: str, topic: Topic, apply: Callable[..., None]) -> None:
        starts = Starts(self.log, self.positions, self.alarms)
        self._begin(Follower(name, self.log, lambda: starts(name, topic), apply))

    def _begin(self, follower: Follows) -> None:
        self.followers[follower.name] = follower
        follower.start()

    def _catch_up_ledger(self) -> None:
        """Read the journal to its end. Raises Halted where it is not this ledger's, before anything is entered in it."""
        try:
            self.projection.starts()
        except Halted:
            raise
        except Unavailable as error:  # the follower tries again
            logger.warning("the journal cannot be read yet", why=error.message)
        self._follow_ledger()
        self._catch_up()

    def _catch_up(self) -> None:
        if not self.watch.wait(self.log.end(JOURNAL), REPLAY_SECONDS):
            raise Unavailable("The journal was not replayed in time.", advice="Start again; it goes on where it stopped.")

    # --- what an operator asks ---

    def settle(self, timeout_seconds: float = 60.0) -> bool:
        """Wait until every follower has read all there is; for imports, demos and tests."""
        return self.overview.settle(timeout_seconds)

    def status(self) -> dict[str, Any]:
        """Return every position and lag, what stands still and why, and how old the clock is."""
        clock = self.time_keeping.show()
        return {
            "log": self.settings.kafka or "sqlite",
            "clock_age_seconds": clock.age_seconds,
            "clock_held_by": clock.held_by,
            **self.overview.status(clock.alarms),
            "erasures": self.purge.status(),
        }

    def encoded(self, partition: int) -> int:
        """Return up to which position the encoder has decided this partition of the enrolments."""
        return self.positions.load(encoder.NAME).get(f"{Topic.ENROLMENTS}/{partition}", 0)

    def exposures(self, record: RecordId) -> Exposures:
        """Return who was shown a record, and when, and how many searches could not be read."""
        return exposures(self.searches, self.ledger, record)

    def fsck(self) -> tuple[Finding, ...]:
        """Compare every view with the journal; nothing is changed."""
        return Fsck(self.log, self.ledger, self.store, self.vault, self.photos, self.overview.passed)()

    def rebuild(self, view: str) -> None:
        """Make the ledger, the gallery or the photographs anew from the log, and look again what is amiss."""
        self.rebuilds(view)
        self.ages.look(gallery_is_whole=self.overview.caught_up(gallery.NAME, GALLERY_SECONDS))

    def rebuild_ledger(self) -> None:
        """Make the ledger anew from position 0; nothing is released until it is whole."""
        self.rebuild("ledger")

    def rebuild_gallery(self) -> None:
        """Make the template store anew from the log; the resident scan goes on serving what it holds."""
        self.rebuild("gallery")
