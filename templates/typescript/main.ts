// How long would the trip to each planet take?

interface Planet {
  name: string;
  /** From Earth at the closest, in million kilometres. */
  distance: number;
}

type Vehicle = "bicycle" | "car" | "rocket";

const planets: Planet[] = [
  { name: "Venus", distance: 38 },
  { name: "Mars", distance: 55 },
  { name: "Mercury", distance: 77 },
  { name: "Jupiter", distance: 588 },
  { name: "Saturn", distance: 1195 },
  { name: "Uranus", distance: 2581 },
  { name: "Neptune", distance: 4306 },
];

/** Kilometres per hour. */
const speeds: Record<Vehicle, number> = { bicycle: 20, car: 120, rocket: 58_000 };

function travelYears(planet: Planet, vehicle: Vehicle): number {
  const hours = (planet.distance * 1_000_000) / speeds[vehicle];
  return hours / 24 / 365.25;
}

const vehicle: Vehicle = "rocket"; // Try "bicycle"! And "boat": the editor knows that it cannot work.

console.log(`Years of travel by ${vehicle}:\n`);
for (const planet of planets) {
  const years = travelYears(planet, vehicle).toFixed(2);
  console.log(`${planet.name.padEnd(8)} ${years.padStart(10)}`);
}

// What next?
//  - Node runs TypeScript as it is. Check the types in the terminal: tsc
//  - Add the Moon, 0.36 million kilometres away.
