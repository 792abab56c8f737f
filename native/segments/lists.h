// `lists.ivf`: rows sorted into lists of neighbours, with 8-bit codes in the order of the lists, so that a list is read in
// one go. Little-endian; its sections lie behind a header of one page, each aligned.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "checksum.h"
#include "codes.h"
#include "file.h"

namespace kaomon {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the files are little-endian");

constexpr char LISTS_MAGIC[8] = {'K', 'A', 'O', 'L', 'I', 'S', 'T', 'S'};
constexpr uint32_t LISTS_VERSION = 1;
constexpr size_t LISTS_PAGE = 4096;
constexpr size_t MOST_NUMBERS = 1 << 16;
constexpr size_t MOST_ROWS = INT32_MAX;
constexpr size_t MOST_LISTS = 1 << 24;

struct Counts {
  uint64_t rows;
  uint32_t length;
  uint32_t lists;
  // Groups of neighbouring lists, by which a row's list is looked for when it is sorted in.
  uint32_t groups;
};

enum Section {
  GROUP_CENTRES,  // float[groups][length]
  GROUP_FIRST,    // uint32[groups + 1]: its lists
  CENTRES,        // float[lists][length]: the mean of a list's rows
  CENTRE_SCALES,  // float[lists]
  CENTRE_SQUARES, // float[lists]: squared length
  CENTRE_CODES,   // int8[lists][stride]
  LIST_FIRST,     // uint32[lists + 1]: its rows, places in what follows
  ROWS,           // uint32[rows], ascending in each list
  SCALES,         // float[rows]
  SQUARES,        // float[rows]
  CODES,          // int8[rows][stride]
  SECTIONS,
};

struct Layout {
  explicit Layout(const Counts &of) {
    const uint64_t rows = of.rows, lists = of.lists, groups = of.groups, d = of.length, stride = strideOf(of.length);
    bytes = {groups * d * 4, (groups + 1) * 4, lists * d * 4, lists * 4, lists * 4, lists * stride,
             (lists + 1) * 4, rows * 4, rows * 4, rows * 4, rows * stride};
    end = LISTS_PAGE;
    for (size_t i = 0; i < SECTIONS; i++) {
      at[i] = end;
      whole[i] = (bytes[i] + LISTS_PAGE - 1) / LISTS_PAGE * LISTS_PAGE;
      end += whole[i];
    }
  }
  // Where each begins, its bytes, and those up to the next: zeros at its end.
  std::array<uint64_t, SECTIONS> at, bytes, whole;
  uint64_t end;
};

// The first page of the file.
struct ListsHeader {
  char magic[8];
  uint32_t version;
  Counts counts;
  // How many rows there were when the centres were found anew.
  uint64_t trainedRows;
  // Lists that a search reads, and how often it then finds the nearest row.
  uint32_t nprobe;
  float recall;
  // The largest of all: how far a distance by codes may be from the exact one.
  float largestScale;
  float largestSquare;
  uint64_t sums[SECTIONS];
  char unused[LISTS_PAGE - 64 - (SECTIONS + 1) * sizeof(uint64_t)];
  uint64_t sum;

  uint64_t ownSum() const { return checksum(this, offsetof(ListsHeader, sum)); }
};
static_assert(sizeof(ListsHeader) == LISTS_PAGE);

// An opened file.
class Lists {
public:
  // Reads all of it once: what is damaged is refused with the reason.
  explicit Lists(const std::string &path) : file_(path), map_(file_) {
    if (file_.size() < LISTS_PAGE) damaged("it is too short");
    std::memcpy(&header, map_.at<char>(0), sizeof header);
    if (std::memcmp(header.magic, LISTS_MAGIC, sizeof header.magic) != 0) damaged("it is no file of lists");
    if (header.version != LISTS_VERSION) damaged("it is of another version");
    if (header.sum != header.ownSum()) damaged("its header has changed");
    const Counts &counts = header.counts;
    if (counts.rows < 1 || counts.rows > MOST_ROWS || counts.length < 1 || counts.length > MOST_NUMBERS ||
        counts.groups < 1 || counts.groups > counts.lists || counts.lists > MOST_LISTS || header.nprobe < 1)
      damaged("its counts do not fit");
    const Layout layout(counts);
    if (layout.end != file_.size()) damaged("it is cut");
    map_.populate(file_, 0, layout.end);
    for (size_t i = 0; i < SECTIONS; i++)
      if (checksum(map_.at<char>(layout.at[i]), layout.whole[i]) != header.sums[i]) damaged("its content has changed");
    groupCentres = map_.at<float>(layout.at[GROUP_CENTRES]);
    groupFirst = map_.at<uint32_t>(layout.at[GROUP_FIRST]);
    centres = map_.at<float>(layout.at[CENTRES]);
    centreScales = map_.at<float>(layout.at[CENTRE_SCALES]);
    centreSquares = map_.at<float>(layout.at[CENTRE_SQUARES]);
    centreCodes = map_.at<int8_t>(layout.at[CENTRE_CODES]);
    listFirst = map_.at<uint32_t>(layout.at[LIST_FIRST]);
    rows = map_.at<uint32_t>(layout.at[ROWS]);
    scales = map_.at<float>(layout.at[SCALES]);
    squares = map_.at<float>(layout.at[SQUARES]);
    codes = map_.at<int8_t>(layout.at[CODES]);
    stride = strideOf(counts.length);
    // What would be read outside of the file otherwise.
    if (!ascends(groupFirst, counts.groups, counts.lists) || !ascends(listFirst, counts.lists, counts.rows))
      damaged("its lists do not fit");
    for (size_t list = 0; list < counts.lists; list++)
      for (size_t i = listFirst[list]; i < listFirst[list + 1]; i++)
        if (rows[i] >= counts.rows || (i > listFirst[list] && rows[i] <= rows[i - 1])) damaged("its rows do not fit");
  }

  size_t count() const { return header.counts.lists; }

  ListsHeader header;
  size_t stride = 0;
  const float *groupCentres, *centres, *centreScales, *centreSquares, *scales, *squares;
  const uint32_t *groupFirst, *listFirst, *rows;
  const int8_t *centreCodes, *codes;

private:
  static bool ascends(const uint32_t *firsts, size_t count, uint64_t end) {
    return firsts[0] == 0 && firsts[count] == end && std::is_sorted(firsts, firsts + count + 1);
  }
  [[noreturn]] void damaged(const char *why) const {
    throw std::runtime_error("damaged, " + std::string(why) + ": " + file_.path());
  }

  File file_;
  Mapping map_;
};

} // namespace kaomon
