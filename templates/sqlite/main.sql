-- A small zoo: who lives there and who eats what? Each Run starts with an empty database in memory.
-- To keep the data, use a file: change `run` in .replit to: sqlite3 -box zoo.db < main.sql

CREATE TABLE animals (
  name    TEXT PRIMARY KEY,
  species TEXT NOT NULL,
  born    INTEGER NOT NULL,
  weight  REAL NOT NULL -- kilograms
);

CREATE TABLE meals (
  animal TEXT NOT NULL REFERENCES animals (name),
  food   TEXT NOT NULL,
  amount REAL NOT NULL -- kilograms a day
);

INSERT INTO animals VALUES
  ('Ella',  'elephant', 1998, 3900),
  ('Gus',   'giraffe',  2012,  980),
  ('Pip',   'penguin',  2019,    4.2),
  ('Polly', 'penguin',  2020,    3.8),
  ('Leo',   'lion',     2015,  190);

INSERT INTO meals VALUES
  ('Ella', 'hay', 120), ('Ella', 'apples', 15), ('Gus', 'leaves', 34),
  ('Pip', 'fish', 0.6), ('Polly', 'fish', 0.5), ('Leo', 'meat', 7);

.print Who eats most for their weight?
SELECT
  name,
  species,
  sum(amount) AS kilograms,
  printf('%.1f %%', 100 * sum(amount) / weight) AS of_own_weight
FROM animals
JOIN meals ON meals.animal = animals.name
GROUP BY name
ORDER BY sum(amount) / weight DESC;

.print
.print Shopping list for a week:
SELECT food, sum(amount) * 7 AS kilograms FROM meals GROUP BY food ORDER BY kilograms DESC;

-- What next? Add an animal and its food. Which species is the oldest on average?
