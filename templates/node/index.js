// Rolls two dice many times and shows how often each sum came up.

const rolls = 5000; // Try 50: how uneven does it get?

const rollDie = () => 1 + Math.floor(Math.random() * 6);

const counts = new Map();
for (let i = 0; i < rolls; i++) {
  const sum = rollDie() + rollDie();
  counts.set(sum, (counts.get(sum) ?? 0) + 1);
}

const largest = Math.max(...counts.values());

for (let sum = 2; sum <= 12; sum++) {
  const count = counts.get(sum) ?? 0;
  const bar = "█".repeat(Math.round((count / largest) * 50));
  const colour = 31 + (sum % 6); // 31 to 36 are the terminal's colours
  console.log(`${String(sum).padStart(2)} \x1b[${colour}m${bar}\x1b[0m ${count}`);
}

console.log(`\nAfter ${rolls} rolls, 7 is the sum to bet on.`);

// What next?
//  - Roll three dice. Which sums win now?
//  - Add a package in the terminal: npm install chalk
