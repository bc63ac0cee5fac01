const canvas = document.getElementById("sky");
const sky = canvas.getContext("2d");
let sparks = [];

function resize() {
  canvas.width = innerWidth;
  canvas.height = innerHeight;
}

function explode(x, y) {
  const hue = Math.random() * 360;
  for (let i = 0; i < 80; i++) {
    const angle = Math.random() * 2 * Math.PI;
    const speed = Math.random() * 5; // Try 10!
    sparks.push({ x, y, dx: Math.cos(angle) * speed, dy: Math.sin(angle) * speed, life: 1, hue });
  }
}

function draw() {
  sky.clearRect(0, 0, canvas.width, canvas.height);
  for (const spark of sparks) {
    spark.x += spark.dx;
    spark.y += spark.dy;
    spark.dy += 0.05; // gravity
    spark.life -= 0.012;
    sky.fillStyle = `hsl(${spark.hue} 90% 60% / ${Math.max(spark.life, 0)})`;
    sky.beginPath();
    sky.arc(spark.x, spark.y, 3, 0, 2 * Math.PI);
    sky.fill();
  }
  sparks = sparks.filter((spark) => spark.life > 0);
  requestAnimationFrame(draw);
}

addEventListener("resize", resize);
addEventListener("pointerdown", (event) => explode(event.clientX, event.clientY));

resize();
draw();
explode(innerWidth / 2, innerHeight / 3);
