// Conway's Game of Life: a glider crosses the board.
#include <chrono>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

using Board = std::vector<std::string>;

int count_neighbours(const Board &board, int row, int column) {
  const int rows = board.size(), columns = board[0].size();
  int count = 0;
  for (int dr : {-1, 0, 1}) {
    for (int dc : {-1, 0, 1}) {
      if (dr == 0 && dc == 0) continue;
      // The edges are joined: what leaves on the right comes back on the left.
      count += board[(row + dr + rows) % rows][(column + dc + columns) % columns] == '#';
    }
  }
  return count;
}

Board next_generation(const Board &board) {
  Board next = board;
  for (int row = 0; row < (int)board.size(); row++) {
    for (int column = 0; column < (int)board[row].size(); column++) {
      const int neighbours = count_neighbours(board, row, column);
      const bool lives = neighbours == 3 || (neighbours == 2 && board[row][column] == '#');
      next[row][column] = lives ? '#' : '.';
    }
  }
  return next;
}

void draw(const Board &board) {
  for (const std::string &line : board) {
    for (char cell : line) std::cout << (cell == '#' ? "\x1b[32m██\x1b[0m" : "\x1b[90m· \x1b[0m");
    std::cout << '\n';
  }
  std::cout << std::flush;
}

int main() {
  // What next? Draw your own pattern with '#', or make the board larger.
  Board board = {
      ".#..................",
      "..#.................",
      "###.........#.......",
      "............#.......",
      "............#.......",
      "....................",
      "....................",
      "....................",
  };
  const int generations = 24;

  draw(board);
  for (int generation = 1; generation <= generations; generation++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(80));
    board = next_generation(board);
    std::cout << "\x1b[" << board.size() << "A"; // move the cursor up, to draw over the last board
    draw(board);
  }
  std::cout << "Life after " << generations << " generations.\n";
}
