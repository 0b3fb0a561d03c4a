"""What a UPnP internet gateway is asked, and what is believed of its answers."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.codec import igd
from p2p.codec.igd import Control, Fault
from p2p.errors import RemoteProtocolError
from p2p.ids import Address

HOST = "192.0.2.1"
URL = f"http://{HOST}:5000/rootDesc.xml"


def answer(location=URL, st=igd.SEARCHED[0], first="HTTP/1.1 200 OK"):
    return f"{first}\r\nEXT:\r\nst: {st}\r\nLOCATION: {location}\r\n\r\n".encode()


def description(services, base=""):
    listed = "".join(
        f"<service><serviceType>{kind}</serviceType><controlURL>{url}</controlURL></service>" for kind, url in services
    )
    return (
        f'<root xmlns="x"><URLBase>{base}</URLBase><device><serviceList>{listed}</serviceList></device></root>'.encode()
    )


def test_a_search_is_one_datagram_of_ssdp():
    lines = igd.encode_search(Address(HOST, 1900), igd.SEARCHED[1]).split(b"\r\n")
    assert lines[0] == b"M-SEARCH * HTTP/1.1"
    assert b"HOST: 192.0.2.1:1900" in lines
    assert b"ST: urn:schemas-upnp-org:device:InternetGatewayDevice:2" in lines
    assert lines[-2:] == [b"", b""]


def test_an_answer_names_the_description():
    assert igd.decode_search(answer(), HOST) == URL


@pytest.mark.parametrize(
    "datagram",
    [
        answer(first="HTTP/1.1 404 No"),
        answer(first="NOTIFY * HTTP/1.1"),
        answer(st="upnp:rootdevice"),
        answer("http://192.0.2.2:5000/x"),
        answer("http://router.example/x"),
        answer("https://192.0.2.1/x"),
        answer("http://192.0.2.1@192.0.2.2/x"),
        answer("http://user@192.0.2.1/x"),
        answer("http://192.0.2.1:99999/x"),
        answer("http://192.0.2.1/\x01"),
        answer("http://192.0.2.1/" + "x" * 3_000),
        answer("//192.0.2.1/x"),
        b"",
        b"\xff" * 100,
        answer() + bytes(5_000),
    ],
    ids=range(15),
)
def test_other_answers_are_refused(datagram):
    with pytest.raises(RemoteProtocolError):
        igd.decode_search(datagram, HOST)


def test_the_best_service_is_taken_at_the_routers_own_address():
    others = [("urn:x", "/x"), (igd.SERVICES[2], "/ppp"), (igd.SERVICES[1], "/ip1")]
    assert igd.decode_description(description(others), URL) == Control(f"http://{HOST}:5000/ip1", igd.SERVICES[1])
    best = igd.decode_description(description([*others, (igd.SERVICES[0], "ip2")], f"http://{HOST}:80/a/"), URL)
    assert best == Control(f"http://{HOST}:80/a/ip2", igd.SERVICES[0])
    absolute = igd.decode_description(description([(igd.SERVICES[2], f"http://{HOST}:49000/ppp")]), URL)
    assert absolute == Control(f"http://{HOST}:49000/ppp", igd.SERVICES[2])


@pytest.mark.parametrize(
    "document",
    [
        description([]),
        description([(igd.SERVICES[0], "")]),
        description([(igd.SERVICES[0], "http://192.0.2.9/x")]),
        description([(igd.SERVICES[0], "//192.0.2.9/x")]),
        description([(igd.SERVICES[0], "/x")], "http://192.0.2.9/"),
        description([(igd.SERVICES[0], "/x")], "file:///etc/"),
        b'<!DOCTYPE root [<!ENTITY x "y">]>' + description([(igd.SERVICES[0], "/x")]),
        b"<a>" * 100,
        b"<a",
        b"",
        bytes(igd.MAX_XML + 1),
    ],
    ids=range(11),
)
def test_descriptions_that_lead_elsewhere_or_nowhere_are_refused(document):
    with pytest.raises(RemoteProtocolError):
        igd.decode_description(document, URL)


def test_a_call_is_soap_and_its_texts_are_escaped():
    headers, body = igd.encode_call(igd.SERVICES[0], "AddPortMapping", {"NewRemoteHost": "", "NewX": "<&>"})
    assert headers["SOAPAction"] == f'"{igd.SERVICES[0]}#AddPortMapping"'
    assert igd.decode_answer(200, body)["NewX"] == "<&>"


def test_faults_have_code_and_reason():
    fault = b"<e><errorCode>718</errorCode><errorDescription>Conflict\x09\xc2\x85InMapping</errorDescription></e>"
    assert igd.decode_answer(500, fault) == Fault(718, "718 ConflictInMapping")
    assert igd.decode_answer(500, b"<html>no") == Fault(500, "HTTP 500")
    assert igd.decode_answer(401, b"<e/>") == Fault(401, "401")
    assert igd.decode_answer(500, b"<errorCode>99999999</errorCode>") == Fault(500, "500")
    with pytest.raises(RemoteProtocolError):
        igd.decode_answer(200, b"<html>no")


@given(
    document=st.binary(max_size=200),
    tags=st.lists(st.sampled_from([b"<a>", b"</a>", b"<service>", b"&x;", b"]]>", b"x"])),
)
def test_no_document_breaks_the_reader(document, tags):
    for content in (document, b"<a>" + b"".join(tags) + b"</a>"):
        for read in (
            lambda content: igd.decode_description(content, URL),
            lambda content: igd.decode_answer(200, content),
            lambda content: igd.decode_answer(500, content),
            lambda content: igd.decode_search(content, HOST),
        ):
            try:
                read(content)
            except RemoteProtocolError:
                continue


@given(url=st.text(max_size=60))
def test_no_url_leads_to_another_host(url):
    for text in (url, f"http://{url}", f"http://{HOST}{url}"):
        try:
            igd.at_host(text, HOST)
        except RemoteProtocolError:
            continue
        parts = urlsplit(text)
        assert (parts.scheme, str(ip_address(parts.hostname)), parts.username) == ("http", HOST, None)
