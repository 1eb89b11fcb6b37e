"""What Rota says on the wire, for services and for anybody who subscribes."""
