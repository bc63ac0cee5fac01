/* Draws the Mandelbrot set in the colours of your terminal. */
#include <complex.h>
#include <stdio.h>

/* Try a closer look: centre -0.745 + 0.113i, width 0.02. */
static const double centre_x = -0.7, centre_y = 0.0, width = 3.1;
static const int columns = 78, rows = 26, most_steps = 200;

/* How many steps until the point escapes; most_steps if it never does. */
static int steps_to_escape(double complex point) {
  double complex z = 0;
  int steps = 0;
  while (steps < most_steps && cabs(z) <= 2) {
    z = z * z + point;
    steps++;
  }
  return steps;
}

int main(void) {
  double cell = width / columns;
  for (int row = 0; row < rows; row++) {
    for (int column = 0; column < columns; column++) {
      double x = centre_x + (column - columns / 2) * cell;
      double y = centre_y + (row - rows / 2) * cell * 2; /* characters are twice as high as wide */
      int steps = steps_to_escape(x + y * I);
      int colour = steps == most_steps ? 16 : 17 + steps % 36 * 6;
      printf("\x1b[48;5;%dm ", colour);
    }
    printf("\x1b[0m\n");
  }
  printf("The Mandelbrot set, %d x %d points.\n", columns, rows);
  return 0;
}
