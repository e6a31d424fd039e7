"""RFC 7692, Compression Extensions for WebSocket: every MUST and MUST NOT of its section 7, permessage-deflate."""

from __future__ import annotations

from .requirement import read_requirements

REQUIREMENTS = read_requirements(
    """
§7.1
- A server MUST decline an extension negotiation offer [...] [that] contains an extension parameter not defined for
  use in an offer
- A server MUST decline an extension negotiation offer [...] [that] contains an extension parameter with an invalid
  value
- A server MUST decline an extension negotiation offer [...] [that] contains multiple extension parameters with the
  same name
- A server MUST decline an extension negotiation offer [...] [if it] doesn't support the offered configuration
- A client MUST _Fail the WebSocket Connection_ if [...] [a response] contains an extension parameter not defined
  for use in a response
- A client MUST _Fail the WebSocket Connection_ if [...] [a response] contains an extension parameter with an
  invalid value
- A client MUST _Fail the WebSocket Connection_ if [...] [a response] contains multiple extension parameters with
  the same name
- A client MUST _Fail the WebSocket Connection_ if [...] [it] does not support the configuration that the response
  represents

§7.1.2.1
- [server_max_window_bits] has a decimal integer value without leading zeroes between 8 to 15 [...] and MUST conform
  to the ABNF

§7.1.2.2
- [client_max_window_bits] has no value or a decimal integer value without leading zeroes between 8 to 15 [...] and
  MUST conform to the ABNF
- If a received [...] offer doesn't have the "client_max_window_bits" [...], the [...] response to the offer MUST
  NOT include [it]

§7.2.1
- When any DEFLATE block with the "BFINAL" bit set to 1 doesn't end at a byte boundary, an endpoint MUST add minimal
  padding bits of 0
- for non-final fragments, the removal of 0x00 0x00 0xff 0xff MUST NOT be done
- "server_no_context_takeover" [agreed], the server MUST start compressing each new message with an empty LZ77
  sliding window
- "client_no_context_takeover" [agreed], the client MUST start compressing each new message with an empty LZ77
  sliding window
- "client_max_window_bits" [agreed] with a value of w, the client MUST NOT use an LZ77 sliding window longer than
  the w-th power of 2 bytes
- "server_max_window_bits" [agreed] with a value of w, the server MUST NOT use an LZ77 sliding window longer than
  the w-th power of 2 bytes

§7.2.2
- Otherwise, the client MUST decompress each new message using the LZ77 sliding window used to process the last
  compressed message
- Otherwise, the server MUST decompress each new message using the LZ77 sliding window used to process the last
  compressed message
- Otherwise, the server MUST use a 32,768-byte LZ77 sliding window to decompress messages
- Otherwise, the client MUST use a 32,768-byte LZ77 sliding window to decompress messages
"""
)
