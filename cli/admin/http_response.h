// What the admin server answers, as bytes.
#pragma once

#include <string>
#include <string_view>

namespace migd {

std::string_view http_reason(int status);  // "Not Found"

// A whole response with its length. Each of `more_headers` ends with CR LF.
std::string http_response(int status, std::string_view content_type, std::string_view body,
                          bool keep_alive, std::string_view more_headers = {});
// The head of a response whose body follows in chunks.
std::string http_chunked_head(int status, std::string_view content_type, bool keep_alive);
std::string http_chunk(
    std::string_view data);  // CHECKs that there is some: an empty one is the end
std::string http_last_chunk();

}  // namespace migd
