"""RFC 9112, HTTP/1.1: every MUST and MUST NOT that concerns an origin server, as a recipient and as a sender too.

What it demands of clients, user agents, proxies and gateways is not in the list.
"""

from __future__ import annotations

from .requirement import read_requirements

#: The sections all of whose requirements of an origin server are in the list.
SECTIONS = ("2", "3", "4", "5", "6", "7", "8", "9", "10")

REQUIREMENTS = read_requirements(
    """
§2.2
- MUST parse an HTTP message as a sequence of octets in an encoding that is a superset of US-ASCII
- A sender MUST NOT generate a bare CR [...] within any protocol elements other than the content
- such a bare CR MUST consider that element to be invalid or replace each bare CR with SP
- A sender MUST NOT send whitespace between the start-line and the first header field
- A recipient that receives whitespace between the start-line and the first header field MUST either reject the message

§3
- a request-target longer than any URI it wishes to parse MUST respond with a 414 (URI Too Long)

§3.2
- MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks a Host header field
- MUST respond with a 400 (Bad Request) [...] to any request message that contains more than one Host
- MUST respond with a 400 (Bad Request) [...] a Host header field with an invalid field value

§3.2.2
- MUST ignore the received Host header field (if any) and instead use the host information of the request-target
- A server MUST accept the absolute-form in requests

§4
- A server MUST send the space that separates the status-code from the reason-phrase even when the reason-phrase is
  absent

§5.1
- A server MUST reject, with [...] 400 (Bad Request), any [...] message that contains whitespace between a header field
  name and colon

§5.2
- A sender MUST NOT generate a message that includes line folding
- A server that receives an obs-fold [...] MUST either reject the message [...] or replace each received obs-fold

§6.1
- A recipient MUST be able to parse the chunked transfer coding
- A sender MUST NOT apply the chunked transfer coding more than once to a message body
- the sender MUST either apply chunked as the final transfer coding or terminate the message by closing the connection
- MUST NOT send a Transfer-Encoding header field in any response with a status code of 1xx (Informational) or 204
- A server MUST NOT send a Transfer-Encoding header field in any 2xx (Successful) response to a CONNECT request
- A server MUST NOT send a response containing Transfer-Encoding unless the corresponding request indicates HTTP/1.1
- Regardless, the server MUST close the connection after responding to such a request
- an HTTP/1.0 message containing a Transfer-Encoding [...] MUST treat the message as if the framing is faulty [...] and
  close

§6.2
- A sender MUST NOT send a Content-Length header field in any message that contains a Transfer-Encoding header field

§6.3
- the chunked transfer coding is not the final encoding, [...] the server MUST respond with the 400 (Bad Request)
- the recipient MUST treat it as an unrecoverable error, unless [...] all values in the list are the same
- If the unrecoverable error is in a request message, the server MUST respond with a 400 (Bad Request)
- If the sender closes the connection [...], the recipient MUST consider the message to be incomplete

§7.1
- A recipient MUST be able to parse and decode the chunked transfer coding
- recipients MUST anticipate potentially large hexadecimal numerals and prevent parsing errors due to integer
  conversion overflows

§7.1.1
- A recipient MUST ignore unrecognized chunk extensions

§7.1.2
- A recipient that retains a received trailer field MUST either store/forward the trailer field separately [...] or
  merge
- A recipient MUST NOT merge a received trailer field into the header section unless its [...] definition explicitly
  permits

§9.3
- A server that does not support persistent connections MUST send the "close" connection option in every response
  (untested: perfectws supports them; of a connection that it ends the tests of §9.6 show that it says so)
- A server MUST read the entire request message body or close the connection after sending its response

§9.3.2
- it MUST send the corresponding responses in the same order that the requests were received

§9.6
- A server that receives a "close" connection option MUST initiate closure of the connection [...] after it sends
  the final response
- [that received it] The server MUST NOT process any further requests received on that connection
- A server that sends a "close" connection option MUST initiate closure of the connection
- [that sent it] The server MUST NOT process any further requests received on that connection

§9.7
- All HTTP data MUST be sent as TLS "application data"

§9.8
- Servers MUST attempt to initiate an exchange of closure alerts with the client before closing the connection

§10.1
- A recipient of "message/http" data MUST replace any obsolete line folding with one or more SP characters
  (untested: what a body holds is the application's to read, and perfectws reads no body of that type)
"""
)
