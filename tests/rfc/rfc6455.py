"""RFC 6455, The WebSocket Protocol: every MUST and MUST NOT of its sections 3 to 10 and 11.3, in their order."""

from __future__ import annotations

from .requirement import read_requirements

#: The sections all of whose requirements are in the list.
SECTIONS = ("3", "4", "5", "6", "7", "8", "9", "10", "11.3")

REQUIREMENTS = read_requirements(
    """
§3
- Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be used on these URIs
- the character "#", when not indicating the start of a fragment, MUST be escaped as %23

§4.1
- it MUST open a connection, send an opening handshake, and read the server's handshake in response
- The components of the WebSocket URI passed into this algorithm [...] MUST be valid
- If any of the components are invalid, the client MUST _Fail the WebSocket Connection_
- the client MUST wait until that connection has been established or for that connection to have failed
- There MUST be no more than one connection in a CONNECTING state
- If multiple connections to the same IP address are attempted [...], the client MUST serialize them
- the client MUST assume [...] that each host name refers to a distinct remote host
  (untested: it is about how to count connections that wait for each other, and here none waits for another)
- For the purpose of proxy autoconfiguration scripts, the URI to pass the function MUST be constructed from [...]
  (untested: perfectws runs no such scripts: a proxy is named by its address)
- If the connection could not be opened [...], then the client MUST _Fail the WebSocket Connection_
- If /secure/ is true, the client MUST perform a TLS handshake [...] before sending the handshake data
- If this fails (e.g., the server's certificate could not be verified), then the client MUST _Fail the WebSocket
  Connection_
- Otherwise, all further communication on this channel MUST run through the encrypted tunnel
- Clients MUST use the Server Name Indication extension in the TLS handshake
- the client MUST send an opening handshake to the server
- The handshake MUST be a valid HTTP request
- The method of the request MUST be GET, and the HTTP version MUST be at least 1.1
- The "Request-URI" part of the request MUST match the /resource name/
- The request MUST contain a |Host| header field whose value contains /host/ plus optionally ":" followed by /port/
- The request MUST contain an |Upgrade| header field whose value MUST include the "websocket" keyword
- The request MUST contain a |Connection| header field whose value MUST include the "Upgrade" token
- The request MUST include a header field with the name |Sec-WebSocket-Key|
- MUST be a nonce consisting of a randomly selected 16-byte value that has been base64-encoded
- The nonce MUST be selected randomly for each connection
- The request MUST include a header field with the name |Origin| [...] if the request is coming from a browser client
  (untested: it is about browsers, and perfectws is none)
- The request MUST include a header field with the name |Sec-WebSocket-Version|
- The value of this header field MUST be 13
- The elements that comprise this value MUST be non-empty strings [...] and MUST all be unique strings
- the client MUST wait for a response from the server before sending any further data
- The client MUST validate the server's response as follows
- If the response lacks an |Upgrade| header field or [...] contains a value that is not [...] "websocket", the
  client MUST _Fail
- If the response lacks a |Connection| header field or [...] doesn't contain a token that is [...] "Upgrade", the
  client MUST _Fail
- If the response lacks a |Sec-WebSocket-Accept| header field or [...] contains a value other than [...], the client
  MUST _Fail
- the use of an extension that was not present in the client's handshake [...], the client MUST _Fail
- the use of a subprotocol that was not present in the client's handshake [...], the client MUST _Fail
- If the server's response does not conform to the requirements for the server's handshake [...], the client MUST
  _Fail

§4.2.1
- the server MUST stop processing the client's handshake and return an HTTP response with an appropriate error code

§4.2.2
- the server MUST complete the following steps to accept the connection and send the server's opening handshake
- all further communication for the connection [...] MUST run through the encrypted tunnel
- it MUST return an appropriate HTTP error code (e.g., 403 Forbidden) and abort the WebSocket handshake
- the server MUST abort the WebSocket handshake [...] instead send an appropriate HTTP error code [...] and a
  |Sec-WebSocket-Version| header field
- If the requested service is not available, the server MUST send an appropriate HTTP error code
- The value chosen MUST be derived from the client's handshake, specifically by selecting one of the values
- if the server does not wish to agree [...], it MUST NOT send back a |Sec-WebSocket-Protocol| header field
- the value MUST be derived from the client's handshake, specifically by selecting one or more of the values
- Extensions not listed by the client MUST NOT be listed
- If the server chooses to accept the incoming connection, it MUST reply with a valid HTTP response

§4.3
- after quoted-string unescaping MUST conform to the 'token' ABNF

§4.4
- it MUST respond with a |Sec-WebSocket-Version| header field [...] containing all versions it is willing to use

§5.1
- a client MUST mask all frames that it sends to the server
- The server MUST close the connection upon receiving a frame that is not masked
- A server MUST NOT mask any frames that it sends to the client
- A client MUST close a connection if it detects a masked frame

§5.2
- [RSV1, RSV2, RSV3] MUST be 0 unless an extension is negotiated that defines meanings for non-zero values
- a nonzero value is received and none of the negotiated extensions defines the meaning [...], the receiving endpoint
  MUST _Fail
- If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_
- a 64-bit unsigned integer (the most significant bit MUST be 0)
- in all cases, the minimal number of bytes MUST be used to encode the length
- Any extension MUST specify the length of the "Extension data", [...] and how the extension use MUST be negotiated
  (untested: it is about those who define an extension; the one that perfectws has is in the list of RFC 7692)
- [frame-rsv1, frame-rsv2, frame-rsv3] 1 bit in length, MUST be 0 unless negotiated otherwise

§5.3
- A masked frame MUST have the field frame-masked set to 1
- the client MUST pick a fresh masking key from the set of allowed 32-bit values
- the masking key MUST be derived from a strong source of entropy
- the masking key for a given frame MUST NOT make it simple for a server/proxy to predict

§5.4
- Control frames themselves MUST NOT be fragmented
- Message fragments MUST be delivered to the recipient in the order sent by the sender
- The fragments of one message MUST NOT be interleaved between the fragments of another message
- An endpoint MUST be capable of handling control frames in the middle of a fragmented message
- Clients and servers MUST support receiving both fragmented and unfragmented messages
- an intermediary MUST NOT attempt to change the fragmentation of a control frame
  (untested: it is about what stands between two endpoints, and perfectws is always one of them)
- An intermediary MUST NOT change the fragmentation of a message if any reserved bit values are used
  (untested: it is about what stands between two endpoints, and perfectws is always one of them)
- An intermediary MUST NOT change the fragmentation of any message [...] where extensions have been negotiated
  (untested: it is about what stands between two endpoints, and perfectws is always one of them)
- an intermediary that didn't see the WebSocket handshake [...] MUST NOT change the fragmentation of any message
  (untested: it is about what stands between two endpoints, and perfectws is always one of them)
- the type for all fragments in a message MUST be either text, binary, or one of the reserved opcodes

§5.5
- All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented

§5.5.1
- the first two bytes of the body MUST be a 2-byte unsigned integer (in network byte order)
- As the data is not guaranteed to be human readable, clients MUST NOT show it to end users
  (untested: it is the application's to obey, which alone knows who reads what it shows)
- The application MUST NOT send any more data frames after sending a Close frame
- If an endpoint receives a Close frame [...], the endpoint MUST send a Close frame in response
- After both sending and receiving a Close message, an endpoint [...] MUST close the underlying TCP connection
- The server MUST close the underlying TCP connection immediately

§5.5.2
- an endpoint MUST send a Pong frame in response, unless it already received a Close frame

§5.6
- the whole message MUST contain valid UTF-8

§5.8
- The endpoints of a connection MUST negotiate the use of any extensions during the opening handshake

§6.1
- To _Send a WebSocket Message_ [...], an endpoint MUST perform the following steps
- The endpoint MUST ensure the WebSocket connection is in the OPEN state
- If at any point the state of the WebSocket connection changes, the endpoint MUST abort the following steps
- An endpoint MUST encapsulate the /data/ in a WebSocket frame as defined in Section 5.2
- The opcode (frame-opcode) of the first frame containing the data MUST be set to the appropriate value
- The FIN bit (frame-fin) of the last frame containing the data MUST be set to 1
- If the data is being sent by the client, the frame(s) MUST be masked
- The frame(s) that have been formed MUST be transmitted over the underlying network connection

§6.2
- Incoming data MUST be parsed as WebSocket frames as defined in Section 5.2
- If a control frame (Section 5.5) is received, the frame MUST be handled as defined by Section 5.5
- the endpoint MUST note the /type/ of the data as defined by the opcode (frame-opcode)
- Subsequent data frames MUST be interpreted as belonging to a new WebSocket message
- A server MUST remove masking for data frames received from a client

§7.1.2
- MUST send a Close control frame [...] status code is set to /code/ and whose close reason is set to

§7.1.7
- To do so, the client MUST _Close the WebSocket Connection_
- Similarly, to do so, the server MUST _Close the WebSocket Connection_
- An endpoint MUST NOT continue to attempt to process data [...] after being instructed to _Fail the WebSocket
  Connection_

§7.2.1
- To do so, the client MUST _Fail the WebSocket Connection_ as defined in Section 7.1.7
- If [...] the underlying transport layer connection is unexpectedly lost, the client MUST _Fail the WebSocket
  Connection_

§7.2.2
- To do so, the server MUST simply _Close the WebSocket Connection_

§7.4.1
- 1005 is a reserved value and MUST NOT be set as a status code in a Close control frame
- 1006 is a reserved value and MUST NOT be set as a status code in a Close control frame
- 1015 is a reserved value and MUST NOT be set as a status code in a Close control frame

§8.1
- [...] not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_

§9
- A server MUST NOT respond with any extension not requested by the client
- parameters MUST be chosen in accordance with the specification of the extension to which the parameters apply

§9.1
- a value [...] that does not conform to the ABNF below, the recipient of such malformed data MUST immediately _Fail
- after quoted-string unescaping MUST conform to the 'token' ABNF
- Any extension-token used MUST be a registered token
- The parameters supplied with any given extension MUST be defined for that extension
- MUST NOT use them unless the server indicates that it wishes to use the extension

§10.3
- Clients MUST choose a new masking key for each frame, using an algorithm that cannot be predicted

§10.4
- Implementations that have [...] limitations regarding the frame size or total message size [...] MUST protect
  themselves

§10.6
- WebSocket implementations MUST support TLS

§10.7
- Incoming data MUST always be validated by both clients and servers

§11.3.1
- The |Sec-WebSocket-Key| header field MUST NOT appear more than once in an HTTP request

§11.3.2
- the |Sec-WebSocket-Extensions| header field MUST NOT appear more than once in an HTTP response

§11.3.3
- The |Sec-WebSocket-Accept| header MUST NOT appear more than once in an HTTP response

§11.3.4
- the |Sec-WebSocket-Protocol| header field MUST NOT appear more than once in an HTTP response

§11.3.5
- the |Sec-WebSocket-Version| header field MUST NOT appear more than once in an HTTP request
"""
)
