"""Who enters the table, who stays, who is asked first: BEP 5's rules with time as an argument."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.dht.contact import FRESH_FOR, Contact, Standing
from p2p.dht.node_id import id_for
from p2p.dht.routing_table import K, NodeTable, random_id_in
from p2p.ids import Address

OWN = bytes(20)
FAR = 1 << 159  # ids in the half that is not ours


def far(number):
    return (FAR + number).to_bytes(20, "big")


def at(number, host="10.0.0.1"):
    return Address(host, number + 1)


def full_table(now=0.0):
    """A table whose far bucket is full of nodes that have answered at `now`, and nobody is near."""
    table = NodeTable(OWN, now, widths=())
    table.split_bucket(0)
    for number in range(K):
        table.on_response(far(number), at(number), 0.1, now)
    return table


def members(table):
    return {contact.id for contact in table.contacts()}


def test_a_node_is_good_for_fifteen_minutes_after_it_answered():
    contact = Contact(far(1), at(1))
    assert contact.standing(0.0) is Standing.QUESTIONABLE
    contact.last_query = 0.0
    assert contact.standing(0.0) is Standing.QUESTIONABLE  # it has asked, but never answered
    contact.last_response = 0.0
    assert contact.standing(FRESH_FOR - 1) is Standing.GOOD
    assert contact.standing(FRESH_FOR) is Standing.QUESTIONABLE


def test_one_that_ever_answered_is_good_while_it_asks():
    contact = Contact(far(1), at(1))
    contact.last_response = 0.0
    contact.last_query = 2_000.0
    assert contact.standing(2_000.0 + FRESH_FOR - 1) is Standing.GOOD
    assert contact.standing(2_000.0 + FRESH_FOR) is Standing.QUESTIONABLE


def test_two_silences_in_a_row_make_it_bad_and_an_answer_makes_it_good():
    table = full_table()
    table.on_silence(far(0), at(0))
    assert table.get(far(0)).standing(0.0) is Standing.QUESTIONABLE
    table.on_response(far(0), at(0), 0.1, 1.0)
    table.on_silence(far(0), at(0))
    assert table.get(far(0)).standing(1.0) is Standing.QUESTIONABLE
    table.on_silence(far(0), at(0))
    assert table.get(far(0)).standing(1.0) is Standing.BAD


def test_good_nodes_are_not_displaced():
    table = full_table()
    before = members(table)
    for number in range(K, 4 * K):
        table.on_response(far(number), at(number), 0.1, 1.0)
    assert members(table) == before
    assert table.challenged(far(0), 1.0) is None


def test_the_doubtful_are_asked_before_anybody_takes_their_place():
    table = full_table()
    table.on_response(far(3), at(3), 0.1, FRESH_FOR)  # all others have been silent for 15 minutes
    assert table.challenged(far(0), FRESH_FOR) is None  # and nobody waits
    table.on_response(far(100), at(100), 0.1, FRESH_FOR)
    assert far(100) not in members(table)
    asked = []
    while (doubtful := table.challenged(far(0), FRESH_FOR)) is not None and doubtful.id != far(5):
        asked.append(doubtful.id)
        table.on_response(doubtful.id, doubtful.address, 0.1, FRESH_FOR)
    assert asked == [far(number) for number in (0, 1, 2, 4)]  # seen longest ago first; those that answer stay
    for _ in range(2):
        assert far(100) not in members(table)
        table.on_silence(far(5), at(5))
    assert far(100) in members(table)
    assert far(5) not in members(table)


def test_a_bad_node_makes_room_at_once_for_who_answers():
    table = full_table()
    for _ in range(2):
        table.on_silence(far(2), at(2))
    assert far(2) in members(table)  # nobody waits for its place, and it may come back
    table.on_response(far(100), at(100), 0.1, 1.0)
    assert members(table) == {far(number) for number in (0, 1, 3, 4, 5, 6, 7, 100)}


def test_the_bad_leave_when_told_to():
    table = full_table()
    for _ in range(2):
        table.on_silence(far(2), at(2))
    table.drop_bad()
    assert far(2) not in members(table)


def test_an_id_stays_with_the_address_that_answers_for_it():
    table = full_table()
    stolen = table.on_response(far(0), at(999), 0.1, 1.0)
    assert table.get(far(0)).address == at(0)
    assert stolen is not table.get(far(0))
    for _ in range(2):
        table.on_silence(far(0), at(999))  # not its silence
    assert table.get(far(0)).standing(1.0) is Standing.GOOD
    for _ in range(2):
        table.on_silence(far(0), at(0))
    table.on_response(far(0), at(999), 0.1, 2.0)  # whoever had it is gone
    assert table.get(far(0)).address == at(999)


def test_an_address_that_answers_with_another_id_loses_the_first():
    table = full_table()
    table.on_response(far(100), at(0), 0.1, 1.0)
    assert members(table) == {far(number) for number in (1, 2, 3, 4, 5, 6, 7, 100)}


def test_our_own_id_never_enters():
    table = NodeTable(OWN, 0.0, widths=())
    table.on_response(OWN, at(0), 0.1, 0.0)
    assert members(table) == set()
    assert not table.on_query(OWN, at(0), 0.0)


def test_one_public_host_has_one_place_and_a_network_two_in_a_bucket():
    rng = random.Random(1)
    table = NodeTable(OWN, 0.0, widths=())
    for port in range(1, 50):
        table.on_response(id_for("20.0.0.1", rng), Address("20.0.0.1", port), 0.1, 0.0)
    assert len(members(table)) == 1
    for last in range(2, 200):
        table.on_response(far(last), Address(f"20.0.0.{last}", 1), 0.1, 0.0)
    assert sum(contact.id[0] >= 128 for contact in table.contacts()) <= 2
    for number in range(1, 50):
        table.on_response(far(1_000 + number), Address(f"2001:db8::{number:x}", 1), 0.1, 0.0)
    assert sum(contact.address.is_ipv6 for contact in table.contacts()) == 2


def test_local_hosts_have_no_such_bound():
    table = NodeTable(OWN, 0.0, widths=())
    for number in range(K):
        table.on_response(far(number), at(number, "127.0.0.1"), 0.1, 0.0)
    assert len(members(table)) == K


def test_an_id_that_is_for_its_address_goes_before_one_that_is_not():
    rng = random.Random(1)
    table = NodeTable(OWN, 0.0, widths=())
    for number in range(K):
        table.on_response(far(number), Address(f"20.{number}.0.1", 1), 0.1, 0.0)
    fitting = (Contact(id_for(host, rng), Address(host, 1)) for host in (f"30.{number}.0.1" for number in range(200)))
    newcomer = next(contact for contact in fitting if contact.id[0] >= 128)
    table.on_response(newcomer.id, newcomer.address, 0.1, 0.0)
    assert newcomer.id in members(table)
    assert len(members(table)) == K


def test_a_query_makes_a_stranger_worth_a_ping_and_never_a_contact():
    table = NodeTable(OWN, 0.0, widths=())
    assert table.on_query(far(0), at(0), 0.0)
    assert members(table) == set()
    table = full_table()
    assert not table.on_query(far(100), at(100), 1.0)  # full of good nodes
    assert not table.on_query(far(0), at(0), 1.0)  # known
    assert table.on_query(far(100), at(100), FRESH_FOR)  # some are doubtful by now
    assert not table.on_query(far(0), at(999), 1.0)  # an id of another address


def test_refreshes_are_due_where_nothing_changes():
    table = full_table()
    for number in range(K):
        table.on_response((number + 1).to_bytes(20, "big"), at(50 + number), 0.1, 600.0)
    due = table.lonely_buckets(FRESH_FOR)
    assert [bucket.range[0] for bucket in due] == [FAR]
    wanted = random_id_in(due[0], random.Random(1))
    assert int.from_bytes(wanted, "big") >= FAR
    due[0].changed(FRESH_FOR)
    assert table.lonely_buckets(FRESH_FOR) == []


def test_questionable_nodes_fill_an_answer_after_the_good_and_bad_ones_never():
    table = full_table()
    for number in (0, 1, 2):
        table.on_response(far(number), at(number), 0.1, FRESH_FOR)
    for _ in range(2):
        table.on_silence(far(3), at(3))
    found = [contact.id for contact in table.closest(far(4), K, FRESH_FOR)]
    assert sorted(found[:3]) == [far(0), far(1), far(2)]
    assert sorted(found[3:]) == [far(4), far(5), far(6), far(7)]


def test_the_round_trip_of_a_contact_is_smoothed():
    table = full_table()
    table.on_response(far(0), at(0), 0.5, 1.0)
    assert abs(table.get(far(0)).rtt - 0.2) < 1e-9


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["answer", "query", "silence", "later", "drop"]), st.integers(0, 60), st.integers(0, 60)
        ),
        max_size=120,
    )
)
def test_whatever_happens_the_table_keeps_its_shape(steps):
    rng = random.Random(5)
    ids = [rng.randbytes(20) if number % 3 else (number + 1).to_bytes(20, "big") for number in range(61)]
    table = NodeTable(OWN, 0.0, widths=())
    now = 0.0
    for step, who, where in steps:
        match step:
            case "answer":
                table.on_response(ids[who], at(where), 0.1, now)
            case "query":
                table.on_query(ids[who], at(where), now)
            case "silence":
                table.on_silence(ids[who], at(where))
            case "later":
                now += 20.0 * who
            case "drop":
                table.drop_bad()
        everybody = [contact for bucket in table.buckets for contact in bucket.contacts()]
        assert len({contact.id for contact in everybody}) == len(everybody)
        assert len({contact.address for contact in everybody}) == len(everybody)
        for bucket in table.buckets:
            assert len(bucket) <= K
            assert len(bucket.replacement_nodes) <= K
            assert not bucket.replacement_nodes or len(bucket) == K
            assert all(bucket.range[0] <= contact.long_id <= bucket.range[1] for contact in bucket.contacts())
        assert all(table.get(contact.id) is contact for contact in everybody)


def stranger(rng, prefix, host):
    """A contact at a public address whose id is not for it."""
    while True:
        made = Contact(prefix + rng.randbytes(20 - len(prefix)), Address(host, 6881))
        if not made.compliant:
            return made


def resident(rng, number):
    host = f"{20 + number // 200}.{number % 200}.{rng.randrange(256)}.1"
    return Contact(id_for(host, rng), Address(host, 6881))


def test_ids_made_up_beside_a_key_take_half_of_an_answer_and_the_rest_only_where_nobody_else_is():
    rng = random.Random(4)
    key = rng.randbytes(20)
    table = NodeTable(key[:6] + rng.randbytes(14), 0.0)
    crowd = [stranger(rng, key[:5], f"66.{number}.0.1") for number in range(16)]
    for contact in crowd:
        table.on_response(contact.id, contact.address, 0.1, 10.0)
    assert {each.id for each in table.closest(key, K, 10.0)} <= {each.id for each in crowd}
    assert len(table.closest(key, K, 10.0)) == K
    honest = [resident(rng, number) for number in range(40)]
    for contact in honest:
        table.on_response(contact.id, contact.address, 0.1, 10.0)
    told = table.closest(key, K, 10.0)
    nearest = sorted(
        (each for each in honest if table.get(each.id)), key=lambda each: each.long_id ^ int(key.hex(), 16)
    )
    assert [each.id for each in told if each.compliant] == [each.id for each in nearest[: K // 2]]
    assert len(told) == K


def test_questionable_contacts_are_asked_in_turn_those_that_failed_first():
    rng = random.Random(4)
    table = NodeTable(rng.randbytes(20), 0.0)
    contacts = [resident(rng, number) for number in range(6)]
    for number, contact in enumerate(contacts):
        table.on_response(contact.id, contact.address, 0.1, float(number))
    assert table.most_questionable(FRESH_FOR - 1, {}) is None
    due = FRESH_FOR + 2.5
    assert table.most_questionable(due, {}).id == contacts[0].id
    assert table.most_questionable(due, {contacts[0].address: None}).id == contacts[1].id
    table.on_response(contacts[0].id, contacts[0].address, 0.1, due)
    assert table.most_questionable(due, {}).id == contacts[1].id
    table.on_silence(contacts[5].id, contacts[5].address)
    assert table.most_questionable(due, {}).id == contacts[5].id
    table.on_silence(contacts[5].id, contacts[5].address)
    table.drop_bad()
    assert table.get(contacts[5].id) is None
    assert table.most_questionable(due, {}).id == contacts[1].id
    later = due + FRESH_FOR + 1
    seen = []
    while (contact := table.most_questionable(later, {})) is not None:
        table.on_response(contact.id, contact.address, 0.1, later)
        seen.append(contact.id)
    assert seen == [contacts[at].id for at in (1, 2, 3, 4, 0)]


def test_one_of_a_host_and_two_of_a_subnet_have_a_place_again_once_others_have_gone():
    rng = random.Random(4)
    table = NodeTable(rng.randbytes(20), 0.0)
    one, two, three = (resident(rng, 0).anew() for _ in range(3))
    made = [Contact(each.id, Address(f"20.0.0.{number}", 6881)) for number, each in enumerate((one, two, three), 1)]
    assert [table.add_contact(each, 1.0) for each in made] == [True, True, False]
    again = Contact(three.id, Address("20.0.0.1", 7))
    assert not table.add_contact(again, 1.0)
    for _ in range(2):
        table.on_silence(made[0].id, made[0].address)
    table.drop_bad()
    assert table.add_contact(made[2], 2.0)


def test_what_a_contact_is_may_be_shared_and_how_it_behaves_is_not():
    one = resident(random.Random(4), 3)
    one.last_response, one.failures, one.rtt = 5.0, 1, 0.2
    other = one.anew()
    assert other.id is one.id
    assert other.address is one.address
    assert (other.compact, other.reach, other.compliant, other.long_id) == (
        one.compact,
        one.reach,
        one.compliant,
        one.long_id,
    )
    assert (other.last_response, other.failures, other.rtt) == (float("-inf"), 0, None)
    assert other.standing(6.0) is Standing.QUESTIONABLE
