"""An upload form as a Perfect app has it, with its files and the request log: the Swift stands beside it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

from perfectws import (
    FilterPriority,
    HTTPMethod,
    HTTPRequest,
    HTTPResponse,
    HTTPServer,
    MimeReader,
    MimeType,
    RequestLogger,
    Routes,
)

# fmt: off
# ruff: noqa: E501  (the Swift is as long as it is)

PAGE = """<!doctype html>
<title>Upload</title>
<form method="POST" enctype="multipart/form-data" action="/upload">
  <input type="text" name="title">
  <input type="file" name="files" multiple>
  <input type="submit">
</form>
"""


def form_handler(request: HTTPRequest, response: HTTPResponse) -> None:     # func formHandler(request: HTTPRequest, _ response: HTTPResponse) {
    response.set_header("Content-Type", MimeType.for_extension("html"))     #     response.setHeader(.contentType, value: MimeType.forExtension("html"))
    response.set_body(string=PAGE)                                          #     response.setBody(string: page)
    response.completed()                                                    #     response.completed() }


class UploadHandler:                                                        # class UploadHandler {
    def __init__(self, file_dir: Path) -> None:                             #     init(fileDir: Dir) throws {
        self.file_dir = file_dir                                            #         self.fileDir = fileDir
        file_dir.mkdir(exist_ok=True)                                       #         try fileDir.create() }

    def handle_request(self, request: HTTPRequest, response: HTTPResponse) -> None:  # func handleRequest(request: HTTPRequest, response: HTTPResponse) {
        uploads = request.post_file_uploads                                 #         guard let uploads = request.postFileUploads,
        if not uploads:                                                     #             uploads.count > 0 else {
            response.set_body(json={"error": "nothing was uploaded"})       #             try? response.setBody(json: ["error": "nothing was uploaded"])
            response.completed(status=400)                                  #             return response.completed(status: .badRequest) }
            return
        ary: list[dict[str, Any]] = []                                      #         var ary = [[String:Any]]()
        for upload in uploads:                                              #         for upload in uploads {
            if not upload.file_name:                                        #             if upload.fileName.isEmpty {
                ary.append({                                                #                 ary.append([
                    "fieldName": upload.field_name,                         #                     "fieldName": upload.fieldName,
                    "fieldValue": upload.field_value,                       #                     "fieldValue": upload.fieldValue])
                })
                continue                                                    #                 continue }
            ary.append({                                                    #             ary.append([
                "fieldName": upload.field_name,                             #                 "fieldName": upload.fieldName,
                "contentType": upload.content_type,                         #                 "contentType": upload.contentType,
                "fileName": upload.file_name,                               #                 "fileName": upload.fileName,
                "fileSize": upload.file_size,                               #                 "fileSize": upload.fileSize,
                "isImage": MimeType(upload.content_type) == "image/*",      #                 "isImage": MimeType(upload.contentType) == "image/*",
                "storedAs": self.move(upload),                              #                 "storedAs": try move(upload)])
            })                                                              #         }
        response.set_body(json={"title": request.param("title"), "files": ary})  #    try response.setBody(json: ["title": request.param(name: "title"), "files": ary])
        response.completed()                                                #         response.completed() }

    def move(self, upload: MimeReader.BodySpec) -> str:                     #     func move(_ upload: MimeReader.BodySpec) throws -> String {
        name = str(uuid4())                                                 #         let name = UUID().string
        shutil.move(upload.tmp_file_name, self.file_dir / name)             #         _ = try File(upload.tmpFileName).moveTo(path: fileDir.path + name)
        return name                                                         #         return name } }


def make_server(file_dir: Path) -> HTTPServer:
    server = HTTPServer()                                                   # let server = HTTPServer()
    routes = Routes()                                                       # var routes = Routes()
    routes.add(method=HTTPMethod.GET, uri="/", handler=form_handler)        # routes.add(method: .get, uri: "/", handler: formHandler)
    routes.add(method=HTTPMethod.POST, uri="/upload",                       # routes.add(method: .post, uri: "/upload",
               handler=UploadHandler(file_dir).handle_request)              #            handler: UploadHandler(fileDir).handleRequest)
    server.add_routes(routes)                                               # server.addRoutes(routes)
    server.server_port = 0                                                  # server.serverPort = 8181

    my_logger = RequestLogger()                                             # let myLogger = RequestLogger()
    server.set_request_filters([(my_logger, FilterPriority.HIGH)])          # server.setRequestFilters([(myLogger, .high)])
    server.set_response_filters([(my_logger, FilterPriority.LOW)])          # server.setResponseFilters([(myLogger, .low)])
    return server
