"""The public members of the Swift packages that are ported from, as their sources have them."""

from __future__ import annotations

#: The names of each package, and the folder of the pages that have them.
NAMES = {
    ("Perfect-WebSockets", "perfect"): """
        binary close continuation handleRequest HandlerProducer handlerProducer handleSession invalid
        isConnected noTimeout OpcodeType ping pong readBytesMessage readStringMessage readTimeoutSeconds
        sendBinaryMessage sendPing sendPong sendStringMessage socketProtocol text WebSocket WebSocketHandler
        WebSocketSessionHandler
    """,
    ("Perfect-HTTP", "perfect"): """
        absoluteDate absoluteSeconds add addCookie addHeader addToBuffer allMethods appendBody body bodyBytes
        BodySpec bodySpecs boundary cleanup code compatRoutes completed connection contentType cookies decode
        documentRoot domain done execute Expiration expires fieldName fieldValue file fileName fileSize filter
        filterBody filterHeaders finalFilter findHandler findHandlers forExtension from fromStandard halt
        handleError handler handleRequest header headers high HTTPCookie HTTPFilterPriority HTTPMethod
        httpOnly HTTPRequest HTTPRequestFilter HTTPRequestFilterResult HTTPRequestHeader HTTPResponse
        HTTPResponseContent HTTPResponseContentProvider HTTPResponseError HTTPResponseFilter
        HTTPResponseFilterResult HTTPResponseHeader HTTPResponseNoContent HTTPResponseStatus isMultiPart
        isStreaming lax longType low medium method methods MimeReader MimeType Name name navigator next param
        parameters params path pathComponents postBodyBytes postBodyString postFileUploads postParams
        protocolVersion provide push queryParams relativeSeconds remoteAddress request RequestHandler
        responseHeaders Route RouteMap RouteNavigator Routes routeTrailingWildcardKey Routing SameSite
        sameSite scratchPad secure serverAddress serverName session setBody setHeader shortType standardName
        StaticFileHandler status statusFrom strict subType tmpFileName TopType TRoute TRoutes type uri
        urlVariables value
    """,
    ("Perfect-HTTPServer", "perfect"): """
        address addRoutes alpnSupport ALPNSupport bind caCert caCertPath cert certKeyPair certPath
        certVerifyMode cipherList close configurationData configurationFile configurationPath connect
        contentCompression createRequest custom404 customReqFilter defaultCipherList documentRoot
        HeaderListener http2Debug HTTPFilter HTTPHandler HTTPServer isConnected key keyPath launch
        LaunchContext LaunchFailure name port redirect requestFilters responseFilters routes runAs runAsUser
        secureServer sendPing sendRequest server serverAddress serverName serverPort setRequestFilters
        setResponseFilters ssl start staticFiles stop terminate terminated tlsConfig TLSConfiguration wait
    """,
    ("Perfect-Session", "perfect"): """
        acceptableHostnames AuthenticationConfig authenticationConfig AuthFilter checkHeaders checkState
        cookieDomain cookieHTTPOnly cookiePath cookieSameSite cookieSecure CORS CORSconfig CORSheaders
        couchDatabase created CSRF CSRFaction CSRFconfig CSRFFilter CSRFSecurity customHeaders data denied
        destroy destroySession enabled exclude exclusions failAction filter filterAPIRequest filterAPIResponse
        filterBody filterHeaders fromjson get getCookie healthCheckRoute idle include inclusions
        InvalidSessionError ipaddress IPAddressLock isOAuth2 isValid make maxAge MemorySessions methods
        mongoCollection name PerfectSession PerfectSessionManager purgeInterval remove requestFilter
        requireToken responseFilter resume save SessionConfig SessionMemoryDriver SessionMemoryFilter set
        setCookie setCSRF shouldWeAccept start tojson token touch updated useragent userAgentLock userid
        withCredentials
    """,
    ("Perfect-Thread", "perfect"): """
        broadcast concurrent destroyQueue dispatch doWithLock doWithReadLock doWithWriteLock Event fail get
        getDefaultQueue getQueue Lock lock noTimeout Promise readLock RWLock serial set signal sleep then
        Threading ThreadQueue tryLock tryReadLock tryWriteLock unlock wait when writeLock
    """,
    ("websocket-kit and Vapor", "vapor"): """
        alreadyShutdown close closeCode Configuration connect eventLoop invalidResponseStatus invalidURL
        isClosed maxAccumulatedFrameCount maxAccumulatedFrameSize maxFrameSize minNonFinalFragmentSize
        onBinary onClose onCloseCode onError onPing onPong onText onUpgrade pingInterval send sendPing
        shouldUpgrade syncShutdown tlsConfiguration upgraders webSocket WebSocketClient WebSocketErrorCode
        WebSocketOpcode webSocketUpgrader
    """,
    ("SwiftNIO", "vapor"): """
        always and cascade cascadeFailure cascadeSuccess completeWith EventLoopFuture EventLoopPromise execute
        fail flatMap flatMapError flatMapErrorThrowing flatMapThrowing fold futureResult get hop
        makeFailedFuture makePromise makeSucceededFuture map MultiThreadedEventLoopGroup recover
        scheduleRepeatedTask scheduleTask submit succeed syncShutdownGracefully unwrap wait whenComplete
        whenFailure whenSuccess
    """,
}
