export * from "./constants.ts";
export * from "./control.ts";
export * from "./edge.ts";
export * from "./errors.ts";
export * from "./project.ts";
export * from "./requests.ts";
export * from "./ticket.ts";
export * from "./workspace.ts";
