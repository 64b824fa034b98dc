"""The routes for whoever runs and watches the service, on FastAPI. Faults never strike them."""

from fastapi import APIRouter

from fake_llm.books import Books
from fake_llm.control.calls import calls_routes
from fake_llm.control.faults import faults_routes
from fake_llm.control.requests import requests_routes
from fake_llm.control.service import service_routes
from fake_llm.control.spend import spend_routes
from fake_llm.faults import FaultBoard

__all__ = ["control_routes"]


def control_routes(books: Books, board: FaultBoard) -> APIRouter:
    """Build the routes over the books and the faults."""
    router = APIRouter()
    router.include_router(spend_routes(books.meter))
    router.include_router(calls_routes(books.meter))
    router.include_router(requests_routes(books.requests))
    router.include_router(service_routes(books))
    router.include_router(faults_routes(board))
    return router
