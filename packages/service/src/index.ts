export * from "./backoff.ts";
export * from "./bearer.ts";
export * from "./cleanup.ts";
export * from "./command.ts";
export * from "./config.ts";
export * from "./config-error.ts";
export * from "./log.ts";
export * from "./metrics.ts";
