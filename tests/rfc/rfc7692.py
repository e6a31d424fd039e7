"""RFC 7692, Compression Extensions for WebSocket: every MUST and MUST NOT of its sections 5 to 7, in their order.

Section 4 is for those who define such an extension; the one that is defined, ``permessage-deflate``, is section 7.
"""

from __future__ import annotations

from .requirement import read_requirements

#: The sections all of whose requirements are in the list.
SECTIONS = ("5", "6", "7")

REQUIREMENTS = read_requirements(
    """
§5
- To offer use of a PMCE, a client MUST include the extension name of the PMCE
- In a PMCE negotiation offer, the client MUST inform the server of its LZ77 window size
- To accept the use of an offered PMCE, a server MUST include the extension name of the PMCE
- The element MUST represent a PMCE that is fully supported by the server
- A server MUST NOT accept a PMCE [...] together with another extension if the PMCE will conflict with the extension
- A client that received a response accepting a PMCE [...] together with such an extension MUST _Fail
- A server MUST NOT accept a PMCE [...] together with another extension if the PMCE will be applied to the output
- A client that receives a response accepting a PMCE [...] together with such an extension MUST _Fail
- A server declining all offered PMCEs MUST NOT include any element with PMCE names
- an invalid response, such as accepting a PMCE that the client did not offer, the client MUST _Fail
- both endpoints MUST use the algorithm described in Section 6

§6.1
- An endpoint MUST use the following algorithm to send a message in the form of a compressed message
- An endpoint MUST use the following algorithm to send a message in the form of an uncompressed message
- MUST NOT set the "Per-Message Compressed" bit of control frames and non-first fragments of a data message
- An endpoint receiving such a frame MUST _Fail the WebSocket Connection_

§6.2
- An endpoint MUST use the following algorithm to receive a message in the form of a compressed message
- An endpoint MUST use the following algorithm to receive a message in the form of an uncompressed message

§7
- A server MUST decline an extension negotiation offer [...] contains an extension parameter not defined for use in an
  offer
- A server MUST decline an extension negotiation offer [...] contains an extension parameter with an invalid value
- A server MUST decline an extension negotiation offer [...] contains multiple extension parameters with the same name
- A server MUST decline an extension negotiation offer [...] The server doesn't support the offered configuration
- A client MUST _Fail [...] The negotiation response contains an extension parameter not defined for use in a response
- A client MUST _Fail [...] The negotiation response contains an extension parameter with an invalid value
- A client MUST _Fail [...] negotiation response contains multiple extension parameters with the same name
- A client MUST _Fail [...] The client does not support the configuration that the response represents

§7.1.1.2
- A client MUST support the "client_no_context_takeover" extension parameter in an extension negotiation response

§7.1.2.1
- [offered] This parameter has a decimal integer value without leading zeroes [...] and MUST conform to the ABNF
- [answered] in an extension negotiation response has a decimal integer value without leading zeroes [...] and MUST
  conform to the ABNF

§7.1.2.2
- If a value is specified for this parameter, the value MUST conform to the ABNF
- in an extension negotiation response has a decimal integer value without leading zeroes [...] and MUST conform to the
  ABNF
- offer doesn't have the "client_max_window_bits" [...] the corresponding extension negotiation response to the offer
  MUST NOT include

§7.2.1
- an endpoint MUST add minimal padding bits of 0 to make it end at a byte boundary
- for non-final fragments, the removal of 0x00 0x00 0xff 0xff MUST NOT be done
- An endpoint MUST NOT use an LZ77 sliding window longer than 32,768 bytes to compress messages to send
- the client MUST start compressing each new message with an empty LZ77 sliding window
- the server MUST start compressing each new message with an empty LZ77 sliding window
- the client MUST NOT use an LZ77 sliding window longer than the w-th power of 2 bytes
- the server MUST NOT use an LZ77 sliding window longer than the w-th power of 2 bytes

§7.2.2
- Otherwise, the client MUST decompress each new message using the LZ77 sliding window used to process the last
- Otherwise, the server MUST decompress each new message using the LZ77 sliding window used to process the last
- even if the client has included the "client_no_context_takeover" [...] the server MUST decompress each new message
- Otherwise, the client MUST use a 32,768-byte LZ77 sliding window to decompress received messages
- Otherwise, the server MUST use a 32,768-byte LZ77 sliding window to decompress received messages
- the client MUST use an LZ77 sliding window of a size that conforms the "agreed parameters" to compress
"""
)
